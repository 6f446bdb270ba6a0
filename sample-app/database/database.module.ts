import { Global, Module, type DynamicModule } from '@nestjs/common';
import { Database, DATABASE_URL } from './database.js';

@Global()
@Module({})
export class DatabaseModule {
  static forRoot(url: string): DynamicModule {
    return {
      module: DatabaseModule,
      providers: [{ provide: DATABASE_URL, useValue: url }, Database],
      exports: [Database],
    };
  }
}
