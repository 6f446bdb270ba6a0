import { ApolloDriver, type ApolloDriverConfig } from '@nestjs/apollo';
import { Module } from '@nestjs/common';
import { GraphQLModule } from '@nestjs/graphql';
import { DistributedLockModule } from 'nestjs-distributed-lock';
import { Cashier } from './cashier.js';
import { Database } from './database.js';
import { SeatsResolver } from './seats.resolver.js';

@Module({
  imports: [
    DistributedLockModule.forRoot({
      redis: process.env['REDIS_URL'] ?? 'redis://127.0.0.1:6379',
      namespace: 'theatre',
    }),
    GraphQLModule.forRoot<ApolloDriverConfig>({ driver: ApolloDriver, autoSchemaFile: true }),
  ],
  providers: [Cashier, Database, SeatsResolver],
})
export class AppModule {}
