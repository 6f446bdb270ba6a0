import type { LoggerService } from '@nestjs/common';

/** A logger of Nest that keeps what is logged, as `level message` and what comes with it. */
export class LoggedLines implements LoggerService {
  readonly lines: string[] = [];
  readonly log = this.keep('log');
  readonly warn = this.keep('warn');
  readonly error = this.keep('error');

  /** The lines that speak of `word`. */
  about(word: string): string[] {
    return this.lines.filter((line) => line.includes(word));
  }

  private keep(level: string) {
    return (...said: unknown[]): void => {
      const texts = said.map((each) => (each instanceof Error ? each.message : String(each)));
      this.lines.push(`${level} ${texts.join(' ')}`);
    };
  }
}
