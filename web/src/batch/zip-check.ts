// What a workbook really unpacks to, counted while inflating and thrown away: sizes in the file may lie.
export interface ZipFacts {
  names: string[];
  inflated: number;
}

export class NotZipError extends Error {}
export class ZipBombError extends Error {}

const END = 0x06054b50;
const CENTRAL = 0x02014b50;
const MAX_ENTRIES = 10_000;

export async function checkZip(file: Blob, most: number): Promise<ZipFacts> {
  const tail = view(await file.slice(Math.max(0, file.size - 65_557)).arrayBuffer());
  let end = tail.byteLength - 22;
  while (end >= 0 && tail.getUint32(end, true) !== END) end--;
  if (end < 0) throw new NotZipError("no directory");
  const count = tail.getUint16(end + 10, true);
  const offset = tail.getUint32(end + 16, true);
  if (count > MAX_ENTRIES || count === 0xffff) throw new ZipBombError(`${count} entries`);
  const central = view(await file.slice(offset, offset + tail.getUint32(end + 12, true)).arrayBuffer());
  const facts: ZipFacts = { names: [], inflated: 0 };
  let at = 0;
  for (let i = 0; i < count; i++) {
    if (at + 46 > central.byteLength || central.getUint32(at, true) !== CENTRAL) throw new NotZipError("damaged");
    const method = central.getUint16(at + 10, true);
    const packed = central.getUint32(at + 20, true);
    const nameLength = central.getUint16(at + 28, true);
    const local = central.getUint32(at + 42, true);
    facts.names.push(new TextDecoder().decode(new Uint8Array(central.buffer, at + 46, nameLength)));
    at += 46 + nameLength + central.getUint16(at + 30, true) + central.getUint16(at + 32, true);
    facts.inflated += await inflatedSize(file, local, packed, method, most - facts.inflated);
  }
  return facts;
}

async function inflatedSize(file: Blob, local: number, packed: number, method: number, most: number): Promise<number> {
  const header = view(await file.slice(local, local + 30).arrayBuffer());
  if (header.byteLength < 30) throw new NotZipError("damaged");
  const begin = local + 30 + header.getUint16(26, true) + header.getUint16(28, true);
  const body = file.slice(begin, begin + packed);
  if (method === 0) {
    if (packed > most) throw new ZipBombError("too large");
    return packed;
  }
  if (method !== 8) throw new NotZipError(`method ${method}`);
  let size = 0;
  const reader = body.stream().pipeThrough(new DecompressionStream("deflate-raw")).getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return size;
    size += value.byteLength;
    if (size > most) {
      await reader.cancel();
      throw new ZipBombError("too large");
    }
  }
}

const view = (buffer: ArrayBuffer) => new DataView(buffer);
