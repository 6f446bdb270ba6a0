import type { LoggerService } from '@nestjs/common';

/** A logger of Nest that keeps what is logged, as `level message`. */
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
    return (message: unknown): void => {
      const text = message instanceof Error ? message.message : String(message);
      this.lines.push(`${level} ${text}`);
    };
  }
}
