/** A user's text without spaces, as records and notices carry it. A lone surrogate becomes U+FFFD. */
export function encodedText(text: string): string {
  return encodeURIComponent(Buffer.from(text).toString());
}

/** The text in what `encodedText` made; anything else is taken as it is, since anybody may publish. */
export function decodedText(encoded: string): string {
  try {
    return decodeURIComponent(encoded);
  } catch {
    return encoded;
  }
}
