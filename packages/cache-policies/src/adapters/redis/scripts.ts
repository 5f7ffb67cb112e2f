import { type Script, script } from '@ashlar/store/redis-connection';

/**
 * How long a value outlives its time, in milliseconds: a reader then finds it expired and removes it quietly. Redis itself
 * would notify the sessions that track it, in the middle of its next load.
 */
const slackMs = 1_000;

/**
 * What all scripts begin with. KEYS[1] is the history: a hash with its `epoch` (random, so that an emptied server has
 * another), `seq` (how many changes there were), `cleared` (the last clear), `floor` (of tags older than it nothing is
 * known), `dropped` (the last clear or invalidation of tags), `swept` (the change up to which dead values were collected) and
 * a field `t:TAG` for each invalidated tag: the change that did it. All in one key, so that a server that
 * evicts loses all of it or nothing. ARGV[1] is the epoch if there is none, ARGV[2] the channel, ARGV[3] the session.
 *
 * A change is published on the channel. Without one it is a mark: a key that is set and deleted at once, whose name carries
 * the change, so that the server notifies the sessions that track keys. An operation that touches a value without changing
 * what a reader sees leaves a quiet mark, so that it is not taken for a change.
 *
 * A value is a head in JSON, `[epoch, stamp, fresh until, cost, present, tags]`, a newline, and the bytes. The stamp is the
 * number of changes when the source was read, so a value is valid while no change that concerns it has a greater number.
 */
const prelude = `
local meta, channel, session = KEYS[1], ARGV[2], ARGV[3]
local history = redis.call('HMGET', meta, 'epoch', 'seq', 'cleared', 'floor', 'dropped', 'swept')
local epoch, seq = history[1], tonumber(history[2] or 0)
local cleared, floor = tonumber(history[3] or 0), tonumber(history[4] or 0)
local dropped, swept = tonumber(history[5] or 0), tonumber(history[6] or -1)
if not epoch then
  epoch = ARGV[1]
  redis.call('HSET', meta, 'epoch', epoch, 'seq', 0)
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function change()
  seq = redis.call('HINCRBY', meta, 'seq', 1)
end
local root = string.sub(meta, 1, -5)
local function publish(kind, names)
  local text = cjson.encode({ epoch, seq, session, kind, names })
  if channel ~= '' then return redis.call('PUBLISH', channel, text) end
  local mark = root .. 'v!' .. string.format('%016.0f', seq) .. text
  redis.call('SET', mark, '')
  redis.call('DEL', mark)
end
local function quiet(places)
  if channel ~= '' or #places == 0 then return end
  for i, place in ipairs(places) do places[i] = string.sub(place, #root + 3) end
  publish('quiet', places)
end
local function unchanged(stamp, tags)
  if stamp < cleared or (#tags > 0 and stamp < floor) then return false end
  for _, tag in ipairs(tags) do
    local at = redis.call('HGET', meta, 't:' .. tag)
    if at and tonumber(at) > stamp then return false end
  end
  return true
end
local function keep(place, stamp, fresh, kept, cost, present, tags, bytes)
  local untilMs = fresh == 'inf' and -1 or now + tonumber(fresh)
  local head = cjson.encode({ epoch, stamp, untilMs, tonumber(cost), tonumber(present) })
  local packed = string.sub(head, 1, -2) .. ',' .. tags .. ']\\n' .. bytes
  if kept == 'inf' then return redis.call('SET', place, packed) end
  redis.call('SET', place, packed, 'PX', tonumber(kept) + ${slackMs})
end
local function lent(place)
  local held = redis.pcall('GET', place)
  if type(held) ~= 'string' then return nil end
  local of, stamp, lease = string.match(held, '^(%S+) (%d+) (.+)$')
  if of ~= epoch or tonumber(stamp) < cleared then return nil end
  return lease, tonumber(stamp)
end
local function lend(place, lease, ms)
  redis.call('SET', place, epoch .. ' ' .. string.format('%.0f', seq) .. ' ' .. lease, 'PX', ms)
end
`;

/** How many arguments come before those of the script itself. */
const common = 3;

/** What all scripts begin with, and this. */
export function tierScript(source: string): Script {
  return script(1, `${prelude}${source}`);
}

/** The position of the history, the prefix of names on the server, and whether there may be dead values. */
export const positionScript: Script = tierScript(
  `return { epoch, tostring(seq), root, dropped > swept and 'dead' or '' }`,
);

/** The same, after a write, so that a server which refuses writes refuses it. */
export const writtenPositionScript: Script = tierScript(`
redis.call('HSET', meta, 'epoch', epoch)
return { epoch, tostring(seq), root, '' }`);

/** When the values of one answer are so long together, it has no further key, in bytes. */
const answerBytes = 1_048_576;

/**
 * KEYS: value and lease of each. ARGV: how long a lease lasts or '', what counts as fresh, and a lease for each key. Gives
 * for each of the first keys, at least one: the entry or false, whether the lease was given, and how long another one lasts.
 */
export const readScript: Script = tierScript(`
local leaseMs, minFresh = ARGV[${common + 1}], ARGV[${common + 2}]
local reads, over, length = {}, {}, 0
for i = 1, (#KEYS - 1) / 2 do
  local place, leasePlace = KEYS[2 * i], KEYS[2 * i + 1]
  local raw, entry, left = redis.pcall('GET', place), false, nil
  if raw then
    local at = type(raw) == 'string' and string.find(raw, '\\n', 1, true) or 1
    local isRead, head = pcall(cjson.decode, type(raw) == 'string' and string.sub(raw, 1, at - 1) or '')
    local kept = redis.call('PTTL', place)
    if kept >= 0 then kept = math.max(0, kept - ${slackMs}) end
    if isRead and type(head) == 'table' and head[1] == epoch and kept ~= 0 and unchanged(head[2], head[6]) then
      left = head[3] == -1 and math.huge or head[3] - now
      local shown = head[3] == -1 and 'inf' or tostring(left)
      entry = { shown, kept, tostring(head[4]), head[5], cjson.encode(head[6]), string.sub(raw, at + 1) }
    else
      redis.call('UNLINK', place)
      over[#over + 1] = place
    end
  end
  local given, busy = 0, 0
  if leaseMs ~= '' and (not entry or minFresh == 'inf' or left <= tonumber(minFresh)) then
    if lent(leasePlace) then
      busy = redis.call('PTTL', leasePlace)
    else
      lend(leasePlace, ARGV[${common + 2} + i], leaseMs)
      given = 1
    end
  end
  reads[i] = { entry, given, busy }
  if entry then length = length + #entry[6] end
  if length >= ${answerBytes} then break end
end
quiet(over)
return reads`);

/** KEYS: value and lease of each. ARGV of each: its lease, then as for a write. Gives 1 for each that was stored. */
export const fillScript: Script = tierScript(`
local stored, filled = {}, {}
for i = 1, (#KEYS - 1) / 2 do
  local place, leasePlace, at = KEYS[2 * i], KEYS[2 * i + 1], ${common} + 7 * (i - 1)
  local lease, stamp = lent(leasePlace)
  stored[i] = 0
  if lease and lease == ARGV[at + 1] then
    redis.call('DEL', leasePlace)
    if unchanged(stamp, cjson.decode(ARGV[at + 6])) then
      keep(place, stamp, unpack(ARGV, at + 2, at + 7))
      stored[i] = 1
      filled[#filled + 1] = place
    end
  end
end
quiet(filled)
return stored`);

/** KEYS: value and lease of each. ARGV of each: its key, for how long fresh and kept, cost, whether present, tags, bytes. */
export const writeScript: Script = tierScript(`
change()
local names = {}
for i = 1, (#KEYS - 1) / 2 do
  local at = ${common} + 7 * (i - 1)
  names[i] = ARGV[at + 1]
  redis.call('DEL', KEYS[2 * i + 1])
  keep(KEYS[2 * i], seq, unpack(ARGV, at + 2, at + 7))
end
publish('keys', names)
return 1`);

/** KEYS: value and lease of each. ARGV: how long a new lease lasts or '', then the key and the new lease of each. */
export const invalidateScript: Script = tierScript(`
change()
local leaseMs, names = ARGV[${common + 1}], {}
for i = 1, (#KEYS - 1) / 2 do
  names[i] = ARGV[${common} + 2 * i]
  redis.call('UNLINK', KEYS[2 * i], KEYS[2 * i + 1])
  if leaseMs ~= '' then lend(KEYS[2 * i + 1], ARGV[${common + 1} + 2 * i], leaseMs) end
end
publish('keys', names)
return 1`);

/** KEYS: the leases. ARGV: what each must be. Gives 1 for each that was still there. */
export const releaseScript: Script = tierScript(`
local released = {}
for i = 2, #KEYS do
  local lease = lent(KEYS[i])
  released[i - 1] = lease and lease == ARGV[${common - 1} + i] and redis.call('DEL', KEYS[i]) or 0
end
return released`);

/** ARGV: the tags. When too many are known, all are forgotten, and with them whatever has any. */
export const tagsScript: Script = tierScript(`
change()
local names = {}
if redis.call('HLEN', meta) > 100000 then
  redis.call('UNLINK', meta)
  redis.call('HSET', meta, 'epoch', epoch, 'seq', seq, 'cleared', cleared, 'floor', seq)
end
for i = ${common + 1}, #ARGV do
  names[#names + 1] = ARGV[i]
  redis.call('HSET', meta, 't:' .. ARGV[i], seq)
end
redis.call('HSET', meta, 'dropped', seq)
publish('tags', names)
return 1`);

/** Older values are invalid; a reader removes them. */
export const clearScript: Script = tierScript(`
change()
redis.call('UNLINK', meta)
redis.call('HSET', meta, 'epoch', epoch, 'seq', seq, 'cleared', seq, 'floor', seq, 'dropped', seq)
publish('clear', { '' })
return 1`);
