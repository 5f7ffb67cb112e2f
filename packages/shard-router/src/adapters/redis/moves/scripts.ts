import { type Script, script } from '@ashlar/store/redis-connection';

/**
 * What the scripts of a move share. Keys: the hash of slots, the hash of moves. Arguments: the id of the move, the token of who works
 * on it, and, but for `take`, the step and who the server must be.
 */
const shared = `
local slots, moves, id, token = KEYS[1], KEYS[2], ARGV[1], ARGV[2]
local function identity()
  local info = redis.call('INFO', 'server', 'replication')
  return string.match(info, 'run_id:(%w+)') .. ':' .. string.match(info, 'master_replid:(%w+)')
end
local function less(a, b)
  if #a ~= #b then return #a < #b end
  return a < b
end
local function lost() return redis.error_reply('LOST by this server') end
local function stale() return redis.error_reply('STALE worker or step') end
`;

/**
 * A command of an earlier step that arrives late changes nothing, nor does that of a superseded worker. A server that was replaced has
 * another identity: what it knows of the move is not what the worker goes by.
 */
const checked = `${shared}
if ARGV[4] ~= '' and identity() ~= ARGV[4] then return lost() end
if redis.call('HGET', moves, id) ~= token or redis.call('HGET', moves, id .. ':step') ~= ARGV[3] then return stale() end
`;

const stepScript = (source: string): Script => script(2, checked + source);

/**
 * Begins a step. More arguments: `step`; `end` for one that ends the move; `look` for one that changes nothing, beside another of the
 * same worker. Answers the step, who the server is, and what was copied to it.
 */
export const take: Script = script(
  2,
  `${shared}
local known = redis.call('HGET', moves, id)
if known and less(token, known) then return stale() end
if ARGV[3] == 'end' then redis.call('HSET', moves, id .. ':ending', '1')
elseif redis.call('HEXISTS', moves, id .. ':ending') == 1 then return stale() end
redis.call('HSET', moves, id, token)
local isBeside = ARGV[3] == 'look' and known == token
local step = redis.call('HINCRBY', moves, id .. ':step', isBeside and 0 or 1)
return {tostring(step), identity(), redis.call('HGET', moves, id .. ':copied') or '', redis.call('HGET', moves, id .. ':cursor') or ''}
`,
);

/**
 * Sets how slots are. More arguments: the letter, or nothing for slots that can be written; the letters one of which each must have, of
 * this move; what is to become of slots that have not, `lost` or `left`; the slots.
 */
export const states: Script = stepScript(`
local letter, allowed, other = ARGV[5], ARGV[6], ARGV[7]
for i = 8, #ARGV do
  local state = redis.call('HGET', slots, ARGV[i]) or ''
  local isOurs = allowed == '' or (string.sub(state, 3) == id and string.find(allowed, string.sub(state, 1, 1), 1, true) ~= nil)
  if not isOurs and other == 'lost' then return lost() end
  if isOurs and letter == '' then redis.call('HDEL', slots, ARGV[i]) end
  if isOurs and letter ~= '' then redis.call('HSET', slots, ARGV[i], letter .. ' ' .. id) end
end
return 'OK'
`);

/** Whether this server has the letter at all slots, of this move. More arguments: the letter, the slots. */
export const have: Script = stepScript(`
for i = 6, #ARGV do
  if redis.call('HGET', slots, ARGV[i]) ~= ARGV[5] .. ' ' .. id then return 0 end
end
return 1
`);

/** Keeps a note of the move, or with nothing as its text deletes it. More arguments: its name, the text. */
export const note: Script = stepScript(`
if ARGV[6] == '' then redis.call('HDEL', moves, id .. ARGV[5]) else redis.call('HSET', moves, id .. ARGV[5], ARGV[6]) end
return 'OK'
`);

/** More arguments: keys, which are deleted. */
export const remove: Script = stepScript(`
for i = 5, #ARGV do redis.call('UNLINK', ARGV[i]) end
return 'OK'
`);

/** A page of all keys. More arguments: the cursor, the pattern, how many. */
export const page: Script = stepScript(`
return redis.call('SCAN', ARGV[5], 'MATCH', ARGV[6], 'COUNT', ARGV[7])
`);

/** Values as they are now. More arguments: the bytes after which it ends, keys. Answers for each when it expires, and its dump. */
export const read: Script = stepScript(`
local found, bytes = {}, 0
for i = 6, #ARGV do
  local dump = redis.call('DUMP', ARGV[i])
  found[#found + 1] = tostring(redis.call('PEXPIRETIME', ARGV[i]))
  found[#found + 1] = dump
  bytes = bytes + (dump and #dump or 0)
  if bytes > tonumber(ARGV[5]) then break end
end
return found
`);

/** Puts values. More arguments: the set that notes the keys, or nothing; for each its key, when it expires, its dump or nothing. */
export const write: Script = stepScript(`
for i = 6, #ARGV, 3 do
  local key, at, dump = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  if dump == '' then redis.call('UNLINK', key)
  else redis.call('RESTORE', key, at == '-1' and '0' or at, dump, 'REPLACE', 'ABSTTL') end
  if ARGV[5] ~= '' then redis.call('SADD', ARGV[5], key) end
end
return 'OK'
`);

/**
 * Keys that were written, as they are now. More arguments: the hash of them, how many at most, the bytes after which it ends; of those
 * that have arrived the key and the count. Answers how many there are, and then of each the key, the count, when it expires, its dump.
 */
export const written: Script = stepScript(`
for i = 8, #ARGV, 2 do
  if redis.call('HGET', ARGV[5], ARGV[i]) == ARGV[i + 1] then redis.call('HDEL', ARGV[5], ARGV[i]) end
end
local found, bytes = {tostring(redis.call('HLEN', ARGV[5]))}, 0
local next = tonumber(ARGV[6]) > 0 and redis.call('HRANDFIELD', ARGV[5], ARGV[6], 'WITHVALUES') or {}
for i = 1, #next, 2 do
  local dump = redis.call('DUMP', next[i])
  found[#found + 1] = next[i]
  found[#found + 1] = next[i + 1]
  found[#found + 1] = tostring(redis.call('PEXPIRETIME', next[i]))
  found[#found + 1] = dump
  bytes = bytes + (dump and #dump or 0)
  if bytes > tonumber(ARGV[7]) then break end
end
return found
`);

/** Digests of values. More arguments: the hash of written keys, keys. Answers the time, and for each the digest, when it expires, whether it is among these. */
export const digests: Script = stepScript(`
local now = redis.call('TIME')
local found = {now[1] .. string.format('%03d', math.floor(now[2] / 1000))}
for i = 6, #ARGV do
  local dump = redis.call('DUMP', ARGV[i])
  found[#found + 1] = dump and redis.sha1hex(dump) or ''
  found[#found + 1] = tostring(redis.call('PEXPIRETIME', ARGV[i]))
  found[#found + 1] = tostring(redis.call('HEXISTS', ARGV[5], ARGV[i]))
end
return found
`);

/**
 * As `digests`, of what a value has rather than of how the server keeps it: the order in a set or hash is each server's own, and so is
 * how a stream is packed. Slow for large values.
 */
export const contents: Script = stepScript(`
local function joined(parts)
  for i, part in ipairs(parts) do parts[i] = #part .. ':' .. part end
  return table.concat(parts)
end
local function field(map, name)
  for j = 1, #map, 2 do if map[j] == name then return map[j + 1] end end
end
local function whole(value)
  if type(value) ~= 'table' then return tostring(value) end
  local parts = {tostring(#value)}
  for _, each in ipairs(value) do parts[#parts + 1] = whole(each) end
  return joined(parts)
end
-- Servers write the same score with more or fewer digits
local function zset(key)
  local all = redis.call('ZRANGE', key, 0, -1, 'WITHSCORES')
  for j = 2, #all, 2 do all[j] = string.format('%.17g', tonumber(all[j])) end
  return joined(all)
end
local function hash(key)
  local all, pairs = redis.call('HGETALL', key), {}
  for first = 1, #all, 2000 do
    local names = {}
    for j = first, math.min(first + 1998, #all), 2 do names[#names + 1] = all[j] end
    -- Refused by a server before Redis 7.4 or Valkey 9, where no field expires
    local times = redis.pcall('HPEXPIRETIME', key, 'FIELDS', #names, unpack(names))
    for j, name in ipairs(names) do
      local at = times[j] or -1
      pairs[#pairs + 1] = joined({name, all[first + 2 * j - 1], at > 0 and tostring(at) or ''})
    end
  end
  table.sort(pairs)
  return joined(pairs)
end
local function stream(key)
  local all = redis.call('XINFO', 'STREAM', key, 'FULL', 'COUNT', 0)
  local parts = {}
  for _, name in ipairs({'last-generated-id', 'max-deleted-entry-id', 'entries-added', 'entries'}) do
    parts[#parts + 1] = whole(field(all, name))
  end
  for _, group in ipairs(field(all, 'groups')) do
    for _, name in ipairs({'name', 'last-delivered-id', 'entries-read', 'pending'}) do
      parts[#parts + 1] = whole(field(group, name))
    end
    for _, consumer in ipairs(field(group, 'consumers')) do parts[#parts + 1] = field(consumer, 'name') end
  end
  return joined(parts)
end
local now = redis.call('TIME')
local found = {now[1] .. string.format('%03d', math.floor(now[2] / 1000))}
for i = 6, #ARGV do
  local key = ARGV[i]
  local kind = redis.call('TYPE', key)
  kind = kind.ok or kind
  local text
  if kind == 'none' then text = ''
  elseif kind == 'string' then text = redis.call('GET', key)
  elseif kind == 'list' then text = joined(redis.call('LRANGE', key, 0, -1))
  elseif kind == 'zset' then text = zset(key)
  elseif kind == 'set' then
    local all = redis.call('SMEMBERS', key)
    table.sort(all)
    text = joined(all)
  elseif kind == 'hash' then text = hash(key)
  elseif kind == 'stream' then text = stream(key)
  else text = redis.call('DUMP', key) end
  found[#found + 1] = kind == 'none' and '' or kind .. redis.sha1hex(text)
  found[#found + 1] = tostring(redis.call('PEXPIRETIME', key))
  found[#found + 1] = tostring(redis.call('HEXISTS', ARGV[5], key))
end
return found
`);

/** A page of a set. More arguments: the set, the cursor; members that are taken out. */
export const members: Script = stepScript(`
for i = 7, #ARGV do redis.call('SREM', ARGV[5], ARGV[i]) end
return redis.call('SSCAN', ARGV[5], ARGV[6], 'COUNT', 200)
`);
