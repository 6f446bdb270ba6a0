import type { Fault } from './fault.js';
import type { SimulatedProcess } from './simulated-process.js';
import type { SimulatedServer } from './simulated-server.js';
import type { Timeline } from './timeline.js';

/** Makes faults happen, and ends all of them when everything calms down. */
export class FaultInjector {
  constructor(
    private readonly timeline: Timeline,
    private readonly server: SimulatedServer,
    private readonly processes: readonly SimulatedProcess[],
  ) {}

  inject(fault: Fault): void {
    this.timeline.note(() => `fault: ${JSON.stringify(fault)}`);
    const { server, timeline } = this;
    const process = 'process' in fault ? this.processes[fault.process] : undefined;
    const link = process && 'which' in fault ? process.store[fault.which] : undefined;
    switch (fault.kind) {
      case 'reset':
        return link?.reset(fault.late, fault.noticed);
      case 'hole':
        for (const direction of fault.directions) link?.road.block(direction);
        timeline.after(fault.span, () => {
          if (!fault.heals) link?.reset();
          link?.road.heal();
        });
        return;
      case 'slow':
        if (link) link.road.slow = fault.by;
        timeline.after(fault.span, () => link && (link.road.slow = 0));
        return;
      case 'pause':
        process?.pause();
        timeline.after(fault.span, () => process?.resume());
        return;
      case 'kill':
        return process?.kill(fault.late, fault.noticed);
      case 'shutdown':
        return process?.shutdown(fault.grace);
      case 'jump':
        return process?.jump(fault.by);
      case 'freeze':
        server.freeze();
        timeline.after(fault.span, () => server.thaw());
        return;
      case 'refuse':
        server.refuses = true;
        timeline.after(fault.span, () => (server.refuses = false));
        return;
      case 'mute':
        server.mute = true;
        timeline.after(fault.span, () => (server.mute = false));
        return;
      case 'flush':
        return server.lose();
      case 'restart':
        server.restart();
        server.step(fault.by);
        for (const { store } of this.processes) {
          store.commands.reset();
          store.notices.reset();
        }
        return;
      case 'step':
        return server.step(fault.by);
      case 'revoke':
        server.apply(fault.name, { kind: 'revoke', reason: 'by the schedule', force: fault.force });
    }
  }
}
