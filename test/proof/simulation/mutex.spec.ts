import { campaign, PATIENCE } from './campaign.js';

describe('a mutex, simulated', () => {
  it(
    'keeps every promise over random schedules of callers and faults',
    async () => {
      const { schedules, grants, margin } = await campaign('mutex');
      expect(grants).toBeGreaterThan(schedules);
      expect(margin).toBeGreaterThanOrEqual(0);
    },
    PATIENCE,
  );
});
