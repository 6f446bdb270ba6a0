import { campaign, PATIENCE } from './campaign.js';

describe('a mutex whose free names are taken natively, simulated', () => {
  it(
    'keeps every promise over random schedules of callers and faults',
    async () => {
      const { schedules, grants, margin } = await campaign('mutex', {
        alter: (schedule) => ({ ...schedule, fenceMemory: 0, native: true }),
      });
      expect(grants).toBeGreaterThan(schedules);
      expect(margin).toBeGreaterThanOrEqual(0);
    },
    PATIENCE,
  );
});
