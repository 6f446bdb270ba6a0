import * as nest from '@nestjs/common';
import { Controller, type INestApplication, Post, type Type } from '@nestjs/common';
import * as swagger from '@nestjs/swagger';
import { DocumentBuilder, type OpenAPIObject, SwaggerModule } from '@nestjs/swagger';
import { Test } from '@nestjs/testing';
import { join } from 'node:path';
import ts from 'typescript';
import { DistributedLockModule, Locked } from '../../lib/index.js';
import { ApiLocked } from '../../lib/swagger/index.js';

async function documentOf(controller: Type): Promise<OpenAPIObject> {
  const module = await Test.createTestingModule({
    imports: [DistributedLockModule.forRoot({ redis: 'memory' })],
    controllers: [controller],
  }).compile();
  const app: INestApplication = module.createNestApplication({ logger: false });
  await app.init();
  const document = SwaggerModule.createDocument(app, new DocumentBuilder().build());
  await app.close();
  return document;
}

const BUSY = { headers: { 'Retry-After': { schema: { type: 'integer' } } } };

describe('@ApiLocked', () => {
  it('documents the answers of a locked route, above and below @Locked, with the status that is configured', async () => {
    @Controller('orders')
    class Orders {
      @Post('pay')
      @ApiLocked()
      @Locked('order')
      async pay(): Promise<void> {}

      @Post('close')
      @Locked('order')
      @ApiLocked({ busyStatus: 409 })
      async close(): Promise<void> {}
    }
    const { paths } = await documentOf(Orders);
    const answers = paths['/orders/pay']!.post!.responses;
    expect(answers).toMatchObject({
      423: BUSY,
      503: { description: expect.stringContaining('lost the lock') },
    });
    expect(answers['503']).not.toHaveProperty('headers');
    expect(answers['423']).toMatchObject({
      content: {
        'application/json': { schema: { required: ['statusCode', 'code', 'message', 'retryAfter'] } },
      },
    });
    expect(Object.keys(paths['/orders/close']!.post!.responses)).toEqual(
      expect.arrayContaining(['409', '503']),
    );
    expect(paths['/orders/close']!.post!.responses).not.toHaveProperty('423');
  });

  it('documents one answer when a busy lock has the status of a store that fails', async () => {
    @Controller('orders')
    class Orders {
      @Post('pay')
      @ApiLocked({ busyStatus: 503 })
      @Locked('order')
      async pay(): Promise<void> {}
    }
    const { paths } = await documentOf(Orders);
    const { 503: only, ...others } = paths['/orders/pay']!.post!.responses;
    expect(others).toEqual({});
    expect(only).toMatchObject({
      ...BUSY,
      description: expect.stringMatching(/is locked.*unavailable.*lost the lock/),
      content: {
        'application/json': {
          schema: {
            required: ['statusCode', 'code', 'message'],
            properties: {
              code: { enum: ['LOCK_BUSY', 'LOCK_LOST', 'LOCK_STORE'] },
              retryAfter: { type: 'integer' },
            },
          },
        },
      },
    });
  });

  it.each([200, 600, 4.5, '423'])('refuses the status %p, as the module does', (busyStatus) => {
    expect(() => ApiLocked({ busyStatus: busyStatus as number })).toThrow(
      /busyStatus takes 400 to 599; it was/,
    );
  });

  it('stands beside what the CLI plugin of @nestjs/swagger writes', async () => {
    const source = `
      import { Body, Controller, Post } from '@nestjs/common';
      import { Locked } from 'nestjs-distributed-lock';
      import { ApiLocked } from 'nestjs-distributed-lock/swagger';
      export class OrderDto { id: string; lines: number; }
      @Controller('orders')
      export class Orders {
        /** Pays an order. */
        @Post()
        @ApiLocked()
        @Locked('order:{0.id}')
        async pay(@Body() order: OrderDto): Promise<OrderDto> { return order; }
      }`;
    const file = join(import.meta.dirname, 'orders.controller.ts');
    const options: ts.CompilerOptions = {
      target: ts.ScriptTarget.ES2022,
      module: ts.ModuleKind.CommonJS,
      moduleResolution: ts.ModuleResolutionKind.Bundler,
      experimentalDecorators: true,
      emitDecoratorMetadata: true,
      types: [],
    };
    const host = ts.createCompilerHost(options);
    const { getSourceFile } = host;
    host.getSourceFile = (path, language) =>
      path === file
        ? ts.createSourceFile(path, source, language, true)
        : getSourceFile.call(host, path, language);
    const program = ts.createProgram([file], options, host);
    const plugin = (await import('@nestjs/swagger/plugin')) as {
      before(options: object, program: ts.Program): ts.TransformerFactory<ts.SourceFile>;
    };
    let compiled = '';
    const write = (path: string, text: string): void => {
      if (path.endsWith('orders.controller.js')) compiled = text;
    };
    program.emit(program.getSourceFile(file), write, undefined, false, {
      before: [plugin.before({ introspectComments: true }, program)],
    });
    expect(compiled).toContain('openapi.ApiResponse');
    const exported: { Orders?: Type } = {};
    const modules: Record<string, object> = {
      '@nestjs/common': nest,
      '@nestjs/swagger': swagger,
      'nestjs-distributed-lock': { Locked },
      'nestjs-distributed-lock/swagger': { ApiLocked },
    };
    // eslint-disable-next-line @typescript-eslint/no-implied-eval -- runs what the compiler made, which also imports itself
    new Function('exports', 'require', compiled)(exported, (name: string) => modules[name] ?? exported);
    const { paths } = await documentOf(exported.Orders!);
    const { responses, summary } = paths['/orders']!.post!;
    expect(summary).toBe('Pays an order.');
    expect(responses).toMatchObject({ 423: BUSY, 503: {} });
    expect(responses).toHaveProperty('201');
  });
});
