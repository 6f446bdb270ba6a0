// Made from scripts/*.lua by `npm run lua`.
export const SCRIPTS = {
} as const;
