// A process that measures: one order at a time, one message in answer to each.
import { closeAll } from './clients.js';
import { bare, contend, handOffs } from './contention.js';
import { cycles } from './cycles.js';
import { calls, closeCallee } from './decorated.js';
import { again, answerIn, grant, lateSince, lookFor, thereAndBack, tryFor, tryOnce } from './lingering.js';
import type { Order } from './orders.js';
import { sessions } from './sessions.js';
import { giveBack, grantedAt, heardAt, hold, listen, publish, stand } from './signals.js';

function carriedOut(order: Order): Promise<unknown> {
  switch (order.do) {
    case 'contend':
      return contend(order.contention);
    case 'sessions':
      return sessions(order.sessions);
    case 'hand-offs':
      return handOffs(order.handOffs);
    case 'bare':
      return bare(order.url, order.name, order.ms);
    case 'hold':
      return hold(order.entrant, order.url, order.name);
    case 'release':
      return giveBack();
    case 'wait':
      return stand(order.entrant, order.url, order.name);
    case 'granted':
      return grantedAt();
    case 'listen':
      return listen(order.url, order.channel);
    case 'publish':
      return publish(order.url, order.channel);
    case 'heard':
      return heardAt();
    case 'cycles':
      return cycles(order.cycles);
    case 'call':
      return calls(order.callee, order.count);
    case 'again':
      return again(order.again);
    case 'grant':
      return grant(order.wanted, order.rmw);
    case 'answer':
      return answerIn(order.url, order.channel);
    case 'there-and-back':
      return thereAndBack(order.url, order.channel);
    case 'try':
      return tryOnce(order.wanted);
    case 'look-for':
      return lookFor(order.wanted, order.every, order.ms);
    case 'try-for':
      return tryFor(order.wanted, order.every, order.ms);
    case 'late':
      return Promise.resolve(lateSince());
    case 'close':
      return Promise.all([closeAll(), closeCallee()]);
  }
}

process.on('message', (order: Order) => {
  carriedOut(order).then(
    (answer) => process.send?.({ answer }),
    (error: Error) => process.send?.({ error: error.stack ?? error.message }),
  );
});
process.on('disconnect', () => process.exit());
process.send?.({ answer: 'ready' });
