import { Controller, Get } from '@nestjs/common';
import { MessagePattern, Payload } from '@nestjs/microservices';
import { ApiOperation } from '@nestjs/swagger';
import { Locked, LockService } from 'nestjs-distributed-lock';

/** Methods that other packages find by the metadata on them, with `@Locked` above and below. */
@Controller()
export class SumsController {
  constructor(private readonly locks: LockService) {}

  @Locked((numbers: number[]) => `sum:${numbers.length}`)
  @MessagePattern('above')
  async above(@Payload() numbers: number[]): Promise<[number, string]> {
    return this.sum(numbers);
  }

  @MessagePattern('below')
  @Locked((numbers: number[]) => `sum:${numbers.length}`)
  async below(@Payload() numbers: number[]): Promise<[number, string]> {
    return this.sum(numbers);
  }

  @Locked('sums')
  @ApiOperation({ summary: 'locked above' })
  @Get('above')
  async readAbove(): Promise<string> {
    return 'above';
  }

  @ApiOperation({ summary: 'locked below' })
  @Get('below')
  @Locked('sums')
  async readBelow(): Promise<string> {
    return 'below';
  }

  private sum(numbers: number[]): [number, string] {
    return [numbers.reduce((sum, each) => sum + each, 0), this.locks.current()?.names.join() ?? 'not locked'];
  }
}
