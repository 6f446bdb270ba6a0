import 'reflect-metadata';
import { DataSource } from 'typeorm';
import { checkRecipe, openDatabase } from './accounts.js';
import { Account, AccountService } from './typeorm.js';

const database = await openDatabase();
const source = await new DataSource({
  type: 'postgres',
  url: database.url,
  entities: [Account],
  synchronize: true,
}).initialize();

await checkRecipe({
  service: AccountService,
  token: DataSource,
  client: source,
  late: (locks, before) => {
    const transaction: DataSource['transaction'] = async (work: never) => {
      await before();
      return source.transaction(work);
    };
    return new AccountService(locks, { transaction } as DataSource);
  },
  open: async (balance) => {
    await source.manager.save(source.manager.create(Account, { id: 'ann', balance, fence: '0' }));
  },
  balance: async () => (await source.manager.findOneByOrFail(Account, { id: 'ann' })).balance,
});
await source.destroy();
await database.close();
