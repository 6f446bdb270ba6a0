import { Column, Entity, PrimaryColumn, PrimaryGeneratedColumn } from 'typeorm';

@Entity()
export class Item {
  @PrimaryColumn('text') sku!: string;
  @Column('integer') left!: number;
  @Column('bigint', { default: 0 }) fence!: string; // TypeORM reads a bigint as text
}

@Entity()
export class Order {
  @PrimaryGeneratedColumn() id!: number;
  @Column('text') sku!: string;
  @Column('text') buyer!: string;
  @Column('text') receipt!: string;
  @Column('bigint') fence!: string;
}
