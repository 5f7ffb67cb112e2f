/**
 * How a group shares its messages by their keys, where a consumer asks for that: in order, in turn, within limits.
 *
 * What is new is read by the consumer `~`, which is nobody: it is filed. Each key has a lane, a list of
 * entries, those of retries after an `r`; what has no key shares a lane. A lane is in the sorted set `ring:<group>` while its first message may
 * start, and in `blocked:<group>`, by the time when it is to be looked at again, while it waits for that. One that waits for what is in
 * hands is in neither. Of an entry in a lane that `~` no longer holds, nothing is believed: it was taken otherwise.
 *
 * The hash `hands:<group>` has the lane of what is in hands, by entry; with `ordered` also, by `i` and the id, of what failed
 * and has not come back to the front of its lane. `busy:<group>` counts them. The sorted set `keyed` has the groups whose consumers share
 * by keys, by when one was last seen. `bell:<group>` has an element while a waiting consumer is to look.
 */
export const lanes = `
local nobody = '~'
local function isKeyedGroup(group)
  return redis.call('ZSCORE', base .. 'keyed', group)
end
local function ring(group)
  if isKeyedGroup(group) then redis.call('ZADD', base .. 'bell:' .. group, 0, 0) end
end
local function ringAll()
  for _, group in ipairs(redis.call('ZRANGE', base .. 'keyed', 0, -1)) do ring(group) end
end
local function nameIn(from, entry)
  return (from == stream and '' or 'r') .. entry
end
local function named(group, name)
  local r, entry = string.match(name, '^(r?)(.*)$')
  return r == 'r' and base .. 'r:' .. group or stream, entry
end
local function hold(group, holder, lane)
  redis.call('HSET', base .. 'hands:' .. group, holder, lane)
  redis.call('HINCRBY', base .. 'busy:' .. group, lane, 1)
end
-- Returns the lane that it was of
local function release(group, holder)
  local lane = redis.call('HGET', base .. 'hands:' .. group, holder)
  if not lane then return false end
  redis.call('HDEL', base .. 'hands:' .. group, holder)
  if redis.call('HINCRBY', base .. 'busy:' .. group, lane, -1) <= 0 then
    redis.call('HDEL', base .. 'busy:' .. group, lane)
  end
  redis.call('ZADD', base .. 'blocked:' .. group, 0, lane)
  ring(group)
  return lane
end
-- How many are filed, not in hands
local function filed(from, group)
  for _, each in ipairs(redis.call('XPENDING', from, group)[4] or {}) do
    if each[1] == nobody then return tonumber(each[2]) end
  end
  return 0
end
`;

/** Those whose lease has ended: `visit` is called with the name of their stream, entry, consumer and count. */
export const losses = `
local function eachLost(group, lease, most, visit)
  for _, from in ipairs({ base .. 'r:' .. group, stream }) do
    local holders = { '' }
    if isKeyedGroup(group) then
      holders = {}
      for _, each in ipairs(redis.call('XPENDING', from, group)[4] or {}) do
        if each[1] ~= nobody then holders[#holders + 1] = each[1] end
      end
    end
    for _, holder in ipairs(holders) do
      if most() <= 0 then return end
      local range = { 'IDLE', lease, '-', '+', most() }
      if holder ~= '' then range[6] = holder end
      for _, pending in ipairs(redis.call('XPENDING', from, group, unpack(range))) do
        redis.call('SREM', base .. 'sure:' .. group, pending[2])
        visit(from, pending[1], pending[4])
      end
    end
  end
end
`;
