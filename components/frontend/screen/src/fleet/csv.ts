// Files with comma-separated values (RFC 4180).

/** The records of a file. A separator may also be a semicolon or a tab, as some spreadsheet programs write. */
export function readCsv(file: string): string[][] {
  const text = file.replace(/^\uFEFF/, '');
  const heading = text.slice(0, text.search(/\r|\n|$/));
  const separator = [',', ';', '\t'].reduce((best, each) => (heading.split(each).length > heading.split(best).length ? each : best));
  const records: string[][] = [];
  let record: string[] = [];
  let field = '';
  let isQuoted = false;
  const endField = () => {
    record.push(field);
    field = '';
  };
  const endRecord = () => {
    endField();
    records.push(record);
    record = [];
  };
  for (let at = 0; at < text.length; at += 1) {
    const letter = text[at] ?? '';
    if (isQuoted && letter === '"' && text[at + 1] === '"') {
      field += '"';
      at += 1;
    } else if (letter === '"' && (isQuoted || field === '')) isQuoted = !isQuoted;
    else if (isQuoted) field += letter;
    else if (letter === separator) endField();
    else if (letter === '\n') endRecord();
    else if (letter !== '\r') field += letter;
  }
  if (field || record.length) endRecord();
  return records.map((fields) => fields.map(fromCell));
}

/** A file with a byte order mark, by which spreadsheet programs know UTF-8. */
export function writeCsv(records: string[][]): string {
  return `\uFEFF${records.map((record) => record.map(quoted).join(',')).join('\r\n')}\r\n`;
}

function quoted(value: string): string {
  const cell = toCell(value);
  return /[",\r\n;\t]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell;
}

/** A spreadsheet program would execute a text that begins like a formula: an apostrophe makes it a text. */
const toCell = (value: string) => (/^[=+\-@\t\r]/.test(value) ? `'${value}` : value);
const fromCell = (cell: string) => (/^'[=+\-@\t\r]/.test(cell) ? cell.slice(1) : cell);

/** Offers a text to the user as a file. */
export function download(name: string, text: string): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([text], { type: 'text/csv;charset=utf-8' }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
