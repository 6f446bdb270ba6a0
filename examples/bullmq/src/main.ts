import 'reflect-metadata';
import { Logger } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { AppModule } from './app.module.js';

const app = await NestFactory.createApplicationContext(AppModule);
// At SIGTERM the worker first ends its jobs, and the locks go last.
app.enableShutdownHooks();
Logger.log('This worker has started', 'main');
