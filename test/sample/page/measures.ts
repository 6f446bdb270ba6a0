import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Page } from 'playwright-core';

// A worker has a thread of its own: how late its timer is says how busy the machine is, whatever the page does.
const LAG_WORKER = `
  let last = performance.now();
  let lag = 0;
  setInterval(() => {
    const now = performance.now();
    lag = Math.max(lag, now - last - 10);
    last = now;
  }, 10);
  onmessage = () => { postMessage(lag); lag = 0; };
`;

// Text, since these tests know nothing of the types of a browser.
const METER = `
  globalThis.gap = 0;
  globalThis.meter = new Worker('/lag-worker.js');
  addEventListener('load', () => {
    let last = performance.now(); // the frames before are those of loading
    const frame = () => {
      const now = performance.now();
      globalThis.gap = Math.max(globalThis.gap, now - last);
      last = now;
      requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  });
`;
const READ = `
  new Promise((resolve) => {
    globalThis.meter.onmessage = ({ data: lag }) => {
      resolve({ gap: globalThis.gap, lag });
      globalThis.gap = 0;
    };
    globalThis.meter.postMessage('');
  })
`;

/** How late frames of the page come, and how late this machine is. */
export class Measures {
  private readonly loop = monitorEventLoopDelay({ resolution: 10 });

  constructor() {
    this.loop.enable();
  }

  restart(): void {
    this.loop.reset();
  }

  /** How late timers of this process were at most since `restart`, in milliseconds. */
  ownLag(): number {
    return this.loop.max / 1e6;
  }

  async install(page: Page): Promise<void> {
    await page.route('**/lag-worker.js', (route) =>
      route.fulfill({ contentType: 'text/javascript', body: LAG_WORKER }),
    );
    await page.addInitScript(METER);
  }

  /** The longest gap between two frames since the last call, and how late the machine was meanwhile. */
  frames(page: Page): Promise<{ gap: number; lag: number }> {
    return page.evaluate(READ);
  }
}
