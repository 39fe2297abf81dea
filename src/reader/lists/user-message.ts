import type { DecodedLine } from '../../rollout/envelope.js';

/** What Codex puts before its model in the name of the user. */
const PUT_IN = /^\s*(# AGENTS\.md instructions|<(environment_context|user_instructions|INSTRUCTIONS|skill|skills_instructions|permissions instructions|turn_aborted|subagent_notification|user_shell_command)\b)/;

/** The text of a record in which a user speaks, in Codex's forms; undefined for every other record. */
export function userMessageIn({ type, payload }: DecodedLine): string | undefined {
  if (!isObject(payload)) return undefined;
  if (type === 'event_msg') {
    if (payload['type'] === 'user_message') return textIn(payload['message']);
    const { item } = payload;
    return payload['type'] === 'item_completed' && isObject(item) && item['type'] === 'UserMessage' ? textIn(item['content']) : undefined;
  }
  if (type !== 'response_item' || payload['type'] !== 'message' || payload['role'] !== 'user') return undefined;
  const text = textIn(payload['content']);
  return text === undefined || PUT_IN.test(text) ? undefined : text;
}

/** A text, or the texts of a list of parts; undefined where there is none. */
function textIn(content: unknown): string | undefined {
  if (typeof content === 'string') return content === '' ? undefined : content;
  if (!Array.isArray(content)) return undefined;
  const texts = content.map((part: unknown) => (isObject(part) && typeof part['text'] === 'string' ? part['text'] : ''));
  return textIn(texts.join(''));
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
