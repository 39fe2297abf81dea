/** An SVG, drawn from the upper left corner, pixels. */
export class Drawing {
  readonly #width: number;
  readonly #height: number;
  readonly #parts: string[] = [];

  constructor(width: number, height: number) {
    this.#width = width;
    this.#height = height;
  }

  text(x: number, y: number, text: string, { anchor = 'start', size = 12, weight = 'normal', fill = '#333' }: TextStyle = {}): void {
    this.#parts.push(`<text x="${at(x)}" y="${at(y)}" text-anchor="${anchor}" font-size="${size}" font-weight="${weight}" fill="${fill}">${escaped(text)}</text>`);
  }

  bar(x: number, y: number, width: number, height: number, fill: string): void {
    this.#parts.push(`<rect x="${at(x)}" y="${at(y)}" width="${at(Math.max(0, width))}" height="${at(Math.max(0, height))}" fill="${fill}"/>`);
  }

  line(points: readonly (readonly [number, number])[], stroke: string, width = 1): void {
    this.#parts.push(`<polyline points="${points.map(([x, y]) => `${at(x)},${at(y)}`).join(' ')}" fill="none" stroke="${stroke}" stroke-width="${width}"/>`);
  }

  toString(): string {
    return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${this.#width} ${this.#height}" width="${this.#width}" height="${this.#height}" font-family="sans-serif">\n`
      + `<rect width="${this.#width}" height="${this.#height}" fill="#fff"/>\n${this.#parts.join('\n')}\n</svg>\n`;
  }
}

export interface TextStyle { readonly anchor?: 'start' | 'middle' | 'end'; readonly size?: number; readonly weight?: 'normal' | 'bold'; readonly fill?: string }

const at = (value: number): string => String(Math.round(value * 10) / 10);

const escaped = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
