// The documents of the API as a page: operations, events and schemas, each of which opens.

const [openapi, asyncapi] = await Promise.all(['/openapi.json', '/asyncapi.json'].map(async (path) => (await fetch(path)).json()));

showOperations();
showEvents();
showSchemas();

function showOperations() {
  const container = document.getElementById('operations');
  for (const [path, methods] of Object.entries(openapi.paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      const item = details(`${method.toUpperCase()} ${path}`, operation.summary);
      item.id = operation.operationId;
      const parameters = (operation.parameters ?? []).map(resolve);
      if (parameters.length) item.append(table(['Parameter', 'In', 'Schema'], parameters.map((it) => [it.name + (it.required ? ' (required)' : ''), it.in, JSON.stringify(it.schema)])));
      for (const [type, { example, schema }] of Object.entries(operation.requestBody?.content ?? {})) {
        item.append(heading(`Body, ${type}`), code(example ?? schema));
      }
      const rows = Object.entries(operation.responses).map(([status, { description, content }]) => [status, description, Object.keys(content ?? {}).join(', ')]);
      item.append(heading('Answers'), table(['Status', 'Meaning', 'Media type'], rows));
      const success = Object.values(operation.responses)[0].content;
      for (const { example } of Object.values(success ?? {})) if (example) item.append(code(example));
      container.append(item);
    }
  }
  container.setAttribute('aria-busy', 'false');
}

function showEvents() {
  const container = document.getElementById('events');
  const channels = Object.values(asyncapi.channels);
  for (const [name, message] of Object.entries(asyncapi.components.messages)) {
    const addresses = channels.filter(({ messages }) => name in messages).map(({ address }) => address);
    const item = details(name, addresses.join(', '));
    item.append(heading('Example'), code(message.examples[0].payload), heading('Data'), code(message.payload.properties.data));
    container.append(item);
  }
  container.setAttribute('aria-busy', 'false');
}

function showSchemas() {
  for (const [name, schema] of Object.entries(openapi.components.schemas)) {
    const item = details(name, schema.description ?? '');
    item.append(code(schema));
    document.getElementById('schemas').append(item);
  }
}

/** The part of the document that a reference names. */
function resolve({ $ref, ...given }) {
  return $ref ? $ref.slice(2).split('/').reduce((part, name) => part[name], openapi) : given;
}

function details(title, text) {
  const item = document.createElement('details');
  const summary = document.createElement('summary');
  const name = document.createElement('code');
  name.textContent = title;
  summary.append(name, ` ${text}`);
  item.append(summary);
  return item;
}

function heading(text) {
  const element = document.createElement('h3');
  element.textContent = text;
  return element;
}

function code(value) {
  const element = document.createElement('pre');
  element.tabIndex = 0;
  element.textContent = JSON.stringify(value, null, 2);
  return element;
}

function table(heads, rows) {
  const element = document.createElement('table');
  const head = element.createTHead().insertRow();
  for (const text of heads) {
    const cell = document.createElement('th');
    cell.scope = 'col';
    cell.textContent = text;
    head.append(cell);
  }
  const body = element.createTBody();
  for (const row of rows) {
    const line = body.insertRow();
    for (const text of row) line.insertCell().textContent = text;
  }
  return element;
}
