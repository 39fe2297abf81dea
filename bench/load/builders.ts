import type { RolloutItem } from 'lastword';
import type { ShapeName } from './shape-table.js';

/** What is drawn once for an item, so that building it twice (to measure, then to fill) gives the same members. */
export interface Facts {
  readonly threadId: string;
  readonly turnId: string;
  /** Of the call that is answered, in outputs. */
  readonly callId: string;
  readonly cwd: string;
  readonly time: string;
  readonly number: number;
}

type Builder = (facts: Facts, text: string) => RolloutItem;

const event = (payload: Record<string, unknown>): RolloutItem => ({ type: 'event_msg', payload });
const response = (payload: Record<string, unknown>): RolloutItem => ({ type: 'response_item', payload });

const PART_CHARACTERS = 4000;
function partsOf(text: string): string[] {
  const parts: string[] = [];
  for (let from = 0; from < text.length; from += PART_CHARACTERS) parts.push(text.slice(from, from + PART_CHARACTERS));
  return parts;
}

const usage = (number: number): Record<string, number> => ({
  input_tokens: number * 7, cached_input_tokens: number * 5, output_tokens: number, reasoning_output_tokens: number >> 1,
  total_tokens: number * 8,
});

const sandbox = (facts: Facts): Record<string, unknown> => ({
  type: 'workspace-write', writable_roots: [facts.cwd], network_access: false, exclude_tmpdir_env_var: false,
  exclude_slash_tmp: false,
});

const tokenCount: Builder = ({ number }, text) => event({
  type: 'token_count',
  info: { total_token_usage: usage(number * 9), last_token_usage: usage(number), model_context_window: 258400 },
  rate_limits: {
    primary: { used_percent: (number % 1000) / 10, window_minutes: 300, resets_at: 1778488037 },
    secondary: null, plan_type: text,
  },
});

const sessionMeta: Builder = (facts, text) => ({
  type: 'session_meta',
  payload: {
    id: facts.threadId, session_id: facts.threadId, timestamp: facts.time, cwd: facts.cwd, originator: 'codex_cli',
    cli_version: '0.147.0', source: 'cli', thread_source: 'user', model_provider: 'openai',
    base_instructions: { text }, git: { commit_hash: '0f1e2d3c', branch: 'main', repository_url: 'git@host:a/b.git' },
    dynamic_tools: [], memory_mode: 'enabled', history_mode: 'paginated',
  },
});

const worldState: Builder = (facts, text) => ({
  type: 'world_state',
  payload: { full: true, state: { environments: { current_date: facts.time.slice(0, 10) }, files: partsOf(text) } },
});

const execEnd: Builder = ({ turnId, callId, cwd, number }, text) => event({
  type: 'exec_command_end', call_id: callId, process_id: String(number), turn_id: turnId,
  command: ['/bin/bash', '-lc', 'npm test'], cwd, parsed_cmd: [{ type: 'unknown', cmd: 'npm test' }],
  source: 'unified_exec_startup', stdout: '', stderr: '', aggregated_output: text, exit_code: 0,
  duration: { secs: 1, nanos: number }, formatted_output: '', status: 'completed',
});

const turnContext: Builder = (facts, text) => ({
  type: 'turn_context',
  payload: {
    turn_id: facts.turnId, cwd: facts.cwd, current_date: facts.time.slice(0, 10), timezone: 'Europe/Vilnius',
    approval_policy: 'on-request', sandbox_policy: sandbox(facts), model: 'gpt-5.5', effort: 'high', summary: 'auto',
    collaboration_mode: { mode: 'default', settings: { reasoning_effort: null, developer_instructions: text } },
  },
});

const settingsApplied: Builder = (facts, text) => event({
  type: 'thread_settings_applied', thread_id: facts.threadId,
  thread_settings: {
    model: 'gpt-5.5', model_provider_id: 'openai', approval_policy: 'on-request', sandbox_policy: sandbox(facts),
    cwd: facts.cwd, collaboration_mode: { mode: 'default', settings: { developer_instructions: text } },
  },
});

/** Members as in real rollouts; `text` stands where the bulk of such a record is. */
export const BUILDERS: Readonly<Record<ShapeName, Builder>> = {
  token_count: tokenCount,
  session_meta: sessionMeta,
  world_state: worldState,
  exec_command_end: execEnd,
  turn_context: turnContext,
  thread_settings_applied: settingsApplied,
  reasoning: (_facts, text) => response({ type: 'reasoning', summary: [], content: null, encrypted_content: text }),
  function_call: ({ callId, cwd }, text) => response({
    type: 'function_call', name: 'exec_command', call_id: callId,
    arguments: JSON.stringify({ cmd: text, workdir: cwd, yield_time_ms: 1000, max_output_tokens: 12000 }),
  }),
  function_call_output: ({ callId, number }, text) => response({
    type: 'function_call_output', call_id: callId,
    output: `Chunk ID: ${number}\nWall time: 1.0037 seconds\nOutput:\n${text}`,
  }),
  custom_tool_call: ({ callId }, text) => response({
    type: 'custom_tool_call', status: 'completed', call_id: callId, name: 'apply_patch',
    input: `*** Begin Patch\n*** Update File: src/run.ts\n@@\n${text}\n*** End Patch\n`,
  }),
  custom_tool_call_output: ({ callId }, text) => response({
    type: 'custom_tool_call_output', call_id: callId,
    output: JSON.stringify({ output: text, metadata: { exit_code: 0, duration_seconds: 2.2 } }),
  }),
  message: ({ turnId }, text) => response({
    type: 'message', role: 'assistant', content: partsOf(text).map((part) => ({ type: 'output_text', text: part })),
    metadata: { turn_id: turnId },
  }),
  agent_message: (_facts, text) => event({ type: 'agent_message', message: text, phase: 'commentary' }),
  agent_reasoning: (_facts, text) => event({ type: 'agent_reasoning', text }),
  patch_apply_end: ({ callId, turnId }, text) => event({
    type: 'patch_apply_end', call_id: callId, turn_id: turnId, stdout: 'Success. Updated the following files:\nM a.ts\n',
    stderr: '', success: true, changes: { 'src/run.ts': { type: 'update', unified_diff: text, move_path: null } },
  }),
  user_message: (_facts, text) =>
    event({ type: 'user_message', message: text, images: [], local_images: [], text_elements: [] }),
  task_started: ({ turnId }) => event({
    type: 'task_started', turn_id: turnId, started_at: 1778488037, model_context_window: 258400,
    collaboration_mode_kind: 'default',
  }),
  task_complete: ({ turnId }, text) => event({ type: 'task_complete', turn_id: turnId, last_agent_message: text }),
  mcp_tool_call_end: ({ callId, number }, text) => event({
    type: 'mcp_tool_call_end', call_id: callId, invocation: { server: 'docs', tool: 'search', arguments: { limit: 10 } },
    duration: { secs: 1, nanos: number }, result: { Ok: { content: [{ type: 'text', text }], isError: false } },
  }),
  compacted: ({ turnId }, text) => ({
    type: 'compacted',
    payload: {
      message: '', window_number: 2, window_id: turnId,
      replacement_history: partsOf(text).map((part) =>
        ({ type: 'message', role: 'user', content: [{ type: 'input_text', text: part }] })),
    },
  }),
};
