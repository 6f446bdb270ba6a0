/**
 * `fence` is a bigint: a fencing token. The table of items keeps the largest one that was shown to it, and refuses a
 * smaller one; the orders keep theirs, for everybody to check.
 */
export const SCHEMA = [
  'create schema if not exists flash_sale',
  `create table if not exists flash_sale.items (
     sku text primary key,
     offered integer not null,
     stock integer not null,
     fence bigint not null default 0
   )`,
  `create table if not exists flash_sale.orders (
     number bigint generated always as identity primary key,
     id uuid not null unique,
     sku text not null references flash_sale.items (sku),
     buyer text not null,
     quantity integer not null,
     fence bigint,
     served_by text not null
   )`,
  `insert into flash_sale.items (sku, offered, stock) values
     ('last-ticket', 1, 1), ('sneaker', 100, 100), ('live-locked', 0, 0), ('live-unlocked', 0, 0)
     on conflict (sku) do nothing`,
];
