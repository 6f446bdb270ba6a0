import {
  ConnectedSocket,
  MessageBody,
  SubscribeMessage,
  WebSocketGateway,
  WebSocketServer,
} from '@nestjs/websockets';
import { Locked, lockName } from 'nestjs-distributed-lock';
import { Pool } from 'pg';
import type { Server, Socket } from 'socket.io';

export interface Move {
  readonly room: string;
  readonly player: string;
}

@WebSocketGateway()
export class RoomGateway {
  @WebSocketServer() private readonly server!: Server;

  constructor(private readonly sql: Pool) {}

  @SubscribeMessage('join')
  async join(@MessageBody() room: string, @ConnectedSocket() socket: Socket): Promise<boolean> {
    await socket.join(room);
    return true;
  }

  /** The moves of one room are numbered one after another, whichever process gets them. */
  @SubscribeMessage('move')
  @Locked((move: Move) => lockName('room', move.room), { wait: '2s' })
  async move(@MessageBody() { room, player }: Move): Promise<{ turn: number } | { refused: string }> {
    const { rows } = await this.sql.query<{ turn: number; player: string }>(
      'select turn, player from move where room = $1 order by turn desc limit 1',
      [room],
    );
    if (rows[0]?.player === player) return { refused: 'It is not your turn.' };
    const turn = (rows[0]?.turn ?? 0) + 1;
    await this.sql.query('insert into move (room, turn, player) values ($1, $2, $3)', [room, turn, player]);
    this.server.to(room).emit('moved', { player, turn });
    return { turn };
  }
}
