import { campaign, PATIENCE } from './campaign.js';

describe('a read-write lock, simulated', () => {
  it(
    'keeps every promise over random schedules of callers and faults',
    async () => {
      const { schedules, grants, margin } = await campaign('readWrite');
      expect(grants).toBeGreaterThan(schedules);
      expect(margin).toBeGreaterThanOrEqual(0);
    },
    PATIENCE,
  );
});
