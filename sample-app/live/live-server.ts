import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { ServerResponse } from 'node:http';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { localRequests } from '../local-requests.js';
import { LiveModule } from './live.module.js';
import type { Stage } from './stage.js';

const PAGE = join(import.meta.dirname, 'page');

/** Serves the page and what it asks for, to this machine only. */
export async function serveLivePage(stage: Stage, port = 0): Promise<NestExpressApplication> {
  const app = await NestFactory.create<NestExpressApplication>(LiveModule.on(stage), {
    abortOnError: false,
    forceCloseConnections: true,
    logger: ['warn', 'error', 'fatal'],
  });
  app.disable('x-powered-by');
  app.use(localRequests);
  app.use((_request: unknown, response: ServerResponse, next: () => void) => {
    response.setHeader(
      'content-security-policy',
      "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    );
    response.setHeader('x-content-type-options', 'nosniff');
    response.setHeader('referrer-policy', 'no-referrer');
    next();
  });
  app.useStaticAssets(PAGE);
  app.useStaticAssets(dirname(createRequire(import.meta.url).resolve('uplot/dist/uPlot.esm.js')), {
    prefix: '/uplot',
  });
  await app.listen(port, '127.0.0.1');
  return app;
}
