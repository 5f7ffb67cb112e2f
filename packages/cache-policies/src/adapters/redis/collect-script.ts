import type { Script } from '@ashlar/store/redis-connection';
import { collectEveryMs } from './collector.ts';
import { tierScript } from './scripts.ts';

/** How many keys of the database one step of a collection looks at. */
const scanned = 250;
/** A longer head, which has long tags, is read with its value. */
const headBytes = 512;

/**
 * One step of a collection over the whole database, which begins anew while there were drops since its begin. The place is
 * in the history: `cursor`, `upto` (the change at its begin) and `stepped` (when the last step was).
 */
export const collectScript: Script = tierScript(`
if dropped <= swept then return 'over' end
local place = redis.call('HMGET', meta, 'cursor', 'upto', 'stepped')
local since = now - tonumber(place[3] or 0)
if since >= 0 and since < ${collectEveryMs} then return 'elsewhere' end
local cursor, upto = place[1] or '0', tonumber(place[2] or seq)
if cursor == '0' then upto = seq end
local pattern = string.gsub(root, '[%*%?%[%]%^\\\\-]', '\\\\%0') .. 'v:*'
local page = redis.pcall('SCAN', cursor, 'MATCH', pattern, 'COUNT', ${scanned})
if page.err then return 'refused' end
local dead = {}
for _, name in ipairs(page[2]) do
  local raw = redis.pcall('GETRANGE', name, 0, ${headBytes - 1})
  if type(raw) == 'string' and #raw == ${headBytes} and not string.find(raw, '\\n', 1, true) then
    raw = redis.call('GET', name)
  end
  local at = type(raw) == 'string' and string.find(raw, '\\n', 1, true)
  local isRead, head = pcall(cjson.decode, at and string.sub(raw, 1, at - 1) or '')
  if isRead and type(head) == 'table' and type(head[6]) == 'table' then
    if head[1] ~= epoch or not unchanged(head[2], head[6]) then
      redis.call('UNLINK', name)
      dead[#dead + 1] = name
    end
  end
end
quiet(dead)
redis.call('HSET', meta, 'cursor', page[1], 'upto', upto, 'stepped', now)
if page[1] ~= '0' then return 'more' end
redis.call('HSET', meta, 'swept', upto)
return dropped > upto and 'more' or 'over'`);
