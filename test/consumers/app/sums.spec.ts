import type { INestApplication } from '@nestjs/common';
import { ClientProxyFactory, Transport, type MicroserviceOptions } from '@nestjs/microservices';
import { DocumentBuilder, SwaggerModule } from '@nestjs/swagger';
import { Test } from '@nestjs/testing';
import { DistributedLockTestingModule } from 'nestjs-distributed-lock/testing';
import { createServer, type AddressInfo } from 'node:net';
import { firstValueFrom } from 'rxjs';
import { SumsController } from './sums.controller.js';

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as AddressInfo;
      probe.close(() => resolve(port));
    });
  });
}

describe('a locked method that other packages find by its metadata', () => {
  let app: INestApplication;
  let port: number;

  beforeAll(async () => {
    port = await freePort();
    const imports = [DistributedLockTestingModule.forRoot()];
    const module = await Test.createTestingModule({ imports, controllers: [SumsController] }).compile();
    app = module.createNestApplication({ logger: false });
    const options = { host: '127.0.0.1', port };
    app.connectMicroservice<MicroserviceOptions>({ transport: Transport.TCP, options });
    await app.startAllMicroservices();
    await app.init();
  });
  afterAll(() => app.close());

  it.each(['above', 'below'])('works %s @MessagePattern, and is locked', async (place) => {
    const options = { host: '127.0.0.1', port };
    const client = ClientProxyFactory.create({ transport: Transport.TCP, options });
    const answer = await firstValueFrom(client.send<unknown, number[]>(place, [1, 2, 3]));
    expect(answer).toEqual([6, 'sum:3']);
    await client.close();
  });

  it.each(['above', 'below'])('works %s @ApiOperation', (place) => {
    const { paths } = SwaggerModule.createDocument(app, new DocumentBuilder().build());
    expect(paths[`/${place}`]?.get?.summary).toBe(`locked ${place}`);
  });
});
