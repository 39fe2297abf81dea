/**
 * Runs the codex binary once, without a network, against a scripted model on loopback. Meant to be the first process of
 * namespaces of its own (run.ts starts it so): when it ends, the kernel ends whatever codex left running.
 *
 * argv[2]: `Request` of run.ts as JSON. stdout: its `Answer` as JSON. It ends codex early when its own stdin ends.
 */
import { spawn, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import http from 'node:http';
import { join } from 'node:path';

const { binary, home, folder, args, commands, limitMs } = JSON.parse(process.argv[2]);

/** The `input` of every request that codex made of the model. */
const inputs = [];

/** Reads a request's body whole. */
async function bodyOf(request) {
  let text = '';
  for await (const chunk of request.setEncoding('utf8')) text += chunk;
  return text;
}

/** What the model says next: a command while some of `commands` have no output since the last prompt, then that it is done. */
function answerTo(input) {
  const turn = input.slice(input.findLastIndex(({ role }) => role === 'user') + 1);
  const command = commands[turn.filter(({ type }) => type === 'function_call_output').length];
  const number = inputs.length;
  return command === undefined
    ? { type: 'message', id: `message-${number}`, role: 'assistant', content: [{ type: 'output_text', text: `answer ${number}` }] }
    : { type: 'function_call', id: `item-${number}`, call_id: `call-${number}`, name: 'exec_command', arguments: JSON.stringify({ cmd: command }) };
}

async function serve(request, response) {
  const body = await bodyOf(request);
  if (request.method !== 'POST' || !request.url.endsWith('/responses')) {
    response.writeHead(404, { 'content-type': 'application/json' }).end('{}');
    return;
  }
  const { input } = JSON.parse(body);
  inputs.push(input);
  const id = `response-${inputs.length}`;
  const usage = {
    input_tokens: 100, input_tokens_details: { cached_tokens: 0 }, output_tokens: 10, output_tokens_details: { reasoning_tokens: 0 }, total_tokens: 110,
  };
  const events = [
    { type: 'response.created', response: { id } },
    { type: 'response.output_item.done', item: answerTo(input) },
    { type: 'response.completed', response: { id, usage } },
  ];
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  response.end(events.map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`).join(''));
}

/** Nothing of codex's own text in what it writes: the instructions are ours, the others are switched off. */
function configFor(port) {
  writeFileSync(join(home, 'instructions.md'), 'Answer in one line.\n');
  return `
model = "scripted"
model_provider = "scripted"
model_instructions_file = ${JSON.stringify(join(home, 'instructions.md'))}
include_permissions_instructions = false
include_apps_instructions = false
include_collaboration_mode_instructions = false
include_environment_context = false
approval_policy = "never"
sandbox_mode = "danger-full-access"
check_for_update_on_startup = false

[model_providers.scripted]
name = "scripted"
base_url = "http://127.0.0.1:${port}/v1"
wire_api = "responses"
request_max_retries = 0
stream_max_retries = 0
supports_websockets = false

[skills]
include_instructions = false
[skills.bundled]
enabled = false

[features]
apps = false
plugins = false

[analytics]
enabled = false
[feedback]
enabled = false
[otel]
exporter = "none"
metrics_exporter = "none"
trace_exporter = "none"
`;
}

/** Runs codex to its end, or ends it at the limit or when nobody listens any more. */
function runCodex() {
  return new Promise((resolve, reject) => {
    const env = { PATH: process.env.PATH, HOME: home, CODEX_HOME: home, TZ: process.env.TZ ?? 'UTC', LANG: 'C.UTF-8' };
    const child = spawn(binary, args, { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] });
    let stdout = '';
    let stderr = '';
    let timedOut = false;
    const end = () => { child.kill('SIGKILL'); };
    const limit = setTimeout(() => { timedOut = true; end(); }, limitMs);
    process.stdin.on('end', end).resume();
    child.stdout.setEncoding('utf8').on('data', (text) => { stdout += text; });
    child.stderr.setEncoding('utf8').on('data', (text) => { stderr += text; });
    child.on('error', reject).on('close', (status, signal) => {
      clearTimeout(limit);
      resolve({ status, signal, timedOut, stdout, stderr });
    });
  });
}

const up = spawnSync('ip', ['link', 'set', 'lo', 'up'], { encoding: 'utf8' });
if (up.status !== 0) throw new Error(`loopback cannot be brought up: ${up.error?.message ?? up.stderr}`);

const server = http.createServer((request, response) => {
  serve(request, response).catch((error) => { response.destroy(error); });
});
await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
writeFileSync(join(home, 'config.toml'), configFor(server.address().port));
const ended = await runCodex();
process.stdout.write(JSON.stringify({ ...ended, inputs }), () => process.exit(0));
