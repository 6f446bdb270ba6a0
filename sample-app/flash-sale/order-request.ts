import { IsInt, IsOptional, IsString, Length, Max, Min } from 'class-validator';

export class OrderRequest {
  @IsString()
  @Length(1, 100)
  buyer!: string;

  @IsOptional()
  @IsInt()
  @Min(1)
  @Max(10)
  quantity = 1;
}
