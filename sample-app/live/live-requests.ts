import { IsBoolean, IsIn, IsInt, Max, Min } from 'class-validator';

export class CrowdRequest {
  @IsIn([50, 500, 5000])
  buyers!: number;
}

export class ProcessesRequest {
  @IsInt()
  @Min(1)
  @Max(6)
  count!: number;
}

export class RedisRequest {
  @IsBoolean()
  running!: boolean;
}
