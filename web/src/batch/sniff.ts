// What a file is: encoding, delimiter, header, and which column holds the texts. Pure.
import { DELIMITERS, type Encoding } from "./types.ts";

export function sniffEncoding(bytes: Uint8Array): Encoding {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return "utf-16le";
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return "utf-16be";
  const zeros = [0, 0];
  for (let i = 0; i < bytes.length; i++) if (bytes[i] === 0) zeros[i & 1]!++;
  // Line ends, digits and Latin letters of UTF-16 have a zero byte on the same side; a stray NUL has not.
  if (Math.max(...zeros) > bytes.length / 20 && Math.min(...zeros) * 4 < Math.max(...zeros))
    return zeros[1]! > zeros[0]! ? "utf-16le" : "utf-16be";
  // Text of one reads as next to nothing in the other, so a few lines of another encoding don't decide.
  return readable(bytes, "utf-8") || !readable(bytes, "gb18030") ? "utf-8" : "gb18030";
}

function readable(bytes: Uint8Array, encoding: Encoding): boolean {
  // stream: the sample may end inside a character.
  const text = new TextDecoder(encoding).decode(bytes, { stream: true });
  const count = (what: RegExp) => text.match(what)?.length ?? 0;
  return count(/\ufffd/g) * 2 <= count(/[^\0-\x7f\ufffd]/g);
}

/** The delimiter that cuts most lines into the same number of cells; none when no one does. */
export function sniffDelimiter(text: string): string {
  const lines = text.replace(/"(?:[^"]|"")*"/g, '""').split(/\r\n|\r|\n/).slice(0, 50).filter((line) => line.trim());
  let best = { delimiter: "", score: 0 };
  for (const delimiter of DELIMITERS) {
    if (!delimiter) continue;
    const counts = lines.map((line) => line.split(delimiter).length - 1);
    const first = counts[0] ?? 0;
    if (!first) continue;
    const share = counts.filter((count) => count === first).length / counts.length;
    // The Chinese comma belongs to sentences: it must be perfectly regular, and on several lines.
    if (delimiter === "，" && (share < 1 || lines.length < 3)) continue;
    const score = share + Math.min(first, 20) / 100;
    if (share >= 0.6 && score > best.score) best = { delimiter, score };
  }
  return best.delimiter;
}

const TEXT_NAMES = /^(text|texts|content|comment|comments|review|reviews|message|feedback|sentence|body|文本|内容|评论|评论内容|评价|评价内容|正文|留言|反馈|意见|句子|原文)$/i;
const KNOWN_NAMES = /^(id|no|date|time|name|label|score|rating|category|product|user|channel|编号|序号|日期|时间|名称|标签|评分|类别|分类|产品|商品|用户|渠道|城市|门店|店铺)$/i;
const NUMBER = /^-?\d+(\.\d+)?%?$/;
const DATE = /^\d{4}[-/.年]\d{1,2}([-/.月]\d{1,2})?/;

export function sniffHeader(rows: string[][]): boolean {
  const [first, ...body] = rows;
  if (!first || !body.length) return false;
  const cells = first.map((cell) => cell.trim());
  if (cells.some((cell) => TEXT_NAMES.test(cell) || KNOWN_NAMES.test(cell))) return true;
  if (cells.length < 2 || new Set(cells).size < cells.length) return false;
  if (cells.some((cell) => !cell || cell.length > 20 || NUMBER.test(cell) || DATE.test(cell))) return false;
  return cells.some((cell, column) => {
    const below = body.map((row) => row[column]?.trim() ?? "").filter(Boolean);
    const special = below.filter((value) => NUMBER.test(value) || DATE.test(value)).length;
    const average = below.reduce((sum, value) => sum + value.length, 0) / (below.length || 1);
    return special > below.length / 2 || average > 3 * cell.length;
  });
}

/** The column of texts: by its name, else the one with the longest cells that are no numbers. */
export function sniffTextColumn(columns: string[], rows: string[][]): number {
  const named = columns.findIndex((column) => TEXT_NAMES.test(column.trim()));
  if (named >= 0) return named;
  let best = { column: 0, length: -1 };
  columns.forEach((_, column) => {
    const cells = rows.map((row) => row[column]?.trim() ?? "").filter((cell) => !NUMBER.test(cell) && !DATE.test(cell));
    const length = cells.reduce((sum, cell) => sum + cell.length, 0) / (rows.length || 1);
    if (length > best.length) best = { column, length };
  });
  return best.column;
}

export type ColumnType = "number" | "date" | "text";

/** What all filled cells of a column are. Codes such as 007 and long numbers stay text: no digit is lost. */
export function columnType(cells: Iterable<string>): ColumnType {
  let type: ColumnType | undefined;
  for (const cell of cells) {
    if (!cell.trim()) continue;
    const one = /^-?(0|[1-9]\d{0,14})(\.\d{1,10})?$/.test(cell) && cell.length <= 16 ? "number" : toDate(cell) ? "date" : "text";
    if (one === "text" || (type && type !== one)) return "text";
    type = one;
  }
  return type ?? "text";
}

const FULL_DATE = /^\s*(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?(?:[T\s]+(\d{1,2}):(\d{2})(?::(\d{2}))?(?:\.\d+)?(?:Z|[+-]\d{2}:?\d{2})?)?\s*$/;

/** The date as written, as if in UTC; null when the cell is none. */
export function toDate(cell: string): Date | null {
  const match = FULL_DATE.exec(cell);
  if (!match) return null;
  const [year, month, day, hour = 0, minute = 0, second = 0] = match.slice(1).map((part) => Number(part ?? 0));
  const date = new Date(Date.UTC(year!, month! - 1, day!, hour, minute, second));
  return date.getUTCMonth() === month! - 1 && date.getUTCDate() === day ? date : null;
}

export function categoryColumns(columns: string[], rows: string[][], not: number): number[] {
  const sample = rows.slice(0, 5000);
  return columns.map((_, column) => column).filter((column) => {
    if (column === not) return false;
    const values = new Set(sample.map((row) => row[column] ?? ""));
    return values.size > 1 && values.size <= Math.max(12, sample.length / 20) && values.size <= 200;
  });
}
