import 'reflect-metadata';
import { PrismaPg } from '@prisma/adapter-pg';
import { checkRecipe, openDatabase } from './accounts.js';
import { PrismaClient } from './generated/client.js';
import { AccountService } from './prisma.js';

const database = await openDatabase();
await database.exec(
  'create table "Account" (id text primary key, balance integer not null, fence bigint not null default 0)',
);
const prisma = new PrismaClient({ adapter: new PrismaPg({ connectionString: database.url }) });

await checkRecipe({
  service: AccountService,
  token: PrismaClient,
  client: prisma,
  late: (locks, before) => {
    const $transaction = async (work: never): Promise<unknown> => {
      await before();
      return prisma.$transaction(work);
    };
    return new AccountService(locks, { $transaction } as unknown as PrismaClient);
  },
  open: async (balance) => void (await prisma.account.create({ data: { id: 'ann', balance } })),
  balance: async () => (await prisma.account.findUniqueOrThrow({ where: { id: 'ann' } })).balance,
});
await prisma.$disconnect();
await database.close();
