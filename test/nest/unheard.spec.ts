import { Injectable, Scope } from '@nestjs/common';
import { OnQueueEvent, OnWorkerEvent } from '@nestjs/bullmq';
import { SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import { Test } from '@nestjs/testing';
import { DistributedLockModule, Locked, type LockLogEntry } from '../../lib/index.js';

@WebSocketGateway()
class Rooms {
  @Locked('rooms')
  async afterInit(): Promise<void> {}

  @Locked('rooms', { onBusy: 'skip' })
  async handleConnection(): Promise<void> {}

  @SubscribeMessage('move')
  @Locked('rooms')
  async move(): Promise<void> {}
}

@WebSocketGateway()
class Lobby extends Rooms {
  override async handleConnection(): Promise<void> {}

  @Locked('rooms')
  async handleDisconnect(): Promise<void> {}
}

@WebSocketGateway({ path: 'of-a-request' })
@Injectable({ scope: Scope.REQUEST })
class OfARequest {
  @Locked('rooms')
  async handleConnection(): Promise<void> {}
}

@Injectable()
class Jobs {
  @OnWorkerEvent('failed')
  @Locked('failures')
  async failed(): Promise<void> {}

  @Locked('failures')
  @OnQueueEvent('completed')
  async completed(): Promise<void> {}

  @OnWorkerEvent('active')
  active(): void {}

  @Locked('failures')
  async handleConnection(): Promise<void> {}
}

describe('the start', () => {
  it('warns of locked methods whose promise nobody awaits, once of each', async () => {
    const entries: LockLogEntry[] = [];
    const logger = { warn: () => undefined, write: (entry: LockLogEntry) => void entries.push(entry) };
    const module = await Test.createTestingModule({
      imports: [DistributedLockModule.forRoot({ redis: 'memory', logger })],
      providers: [Rooms, Lobby, Jobs, OfARequest, { provide: 'again', useClass: Jobs }],
    }).compile();
    await module.init();
    const unheard = entries.filter(({ event }) => event === 'unheard');
    expect(unheard.map(({ level, place }) => `${level} ${place}`).sort()).toEqual([
      'warn Jobs.completed',
      'warn Jobs.failed',
      'warn Lobby.handleDisconnect',
      'warn Rooms.afterInit',
      'warn Rooms.handleConnection',
    ]);
    expect(unheard.find(({ place }) => place === 'Jobs.failed')?.message).toMatch(
      /is @OnWorkerEvent and has @Locked.*this\.work\(\)\.catch/,
    );
    await module.close();
  });
});
