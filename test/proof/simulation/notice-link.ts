import type { CancelTimer, Clock } from '../../../lib/base/clock.js';
import type { LockNotice } from '../../../lib/store/lock-operation.js';
import { Link, type World } from './link.js';

const ECHO_PATIENCE = 1_000;

/** The session's channel on a connection of its own. */
export class NoticeLink extends Link {
  subscribed = false;
  private lastMessage = -Infinity;
  private cancelEcho: CancelTimer | undefined;

  constructor(
    world: World,
    session: string,
    private readonly clock: Clock,
    deaf: boolean,
    on: { notice(name: string, notice: LockNotice): void; up(): void; down(): void },
  ) {
    const { server, timeline } = world;
    super(world, {
      up: () => {
        if (deaf) return;
        this.ask(
          (wire) => {
            if (wire.cut) return;
            wire.onEnd(() => server.unsubscribe(session, wire));
            server.subscribe(session, wire, (name, notice) =>
              this.tell(wire, notice, () => {
                this.lastMessage = clock.now();
                timeline.note(() => `${notice.id.slice(0, 8)} is told ${notice.kind}`);
                on.notice(name, { ...notice });
              }),
            );
          },
          () => {
            this.subscribed = true;
            on.up();
          },
        );
      },
      down: () => {
        const { subscribed } = this;
        this.subscribed = false;
        if (subscribed) on.down();
      },
    });
  }

  /** The server said that it published to us: unless something arrives soon, the connection is half dead. */
  expectEcho(): void {
    if (this.cancelEcho) return;
    const asked = this.clock.now();
    const before = this.lastMessage;
    this.cancelEcho = this.clock.after(ECHO_PATIENCE, () => {
      this.cancelEcho = undefined;
      if (this.subscribed && this.lastMessage === before && this.lastMessage < asked) this.reset();
    });
  }

  override close(): void {
    this.cancelEcho?.();
    super.close();
  }
}
