/**
 * What a group that shares by keys finds waiting, where it is more than one claim files, is left behind: the group goes on at the end of
 * the stream, so that what comes meanwhile has its turn at once, and what is left behind is filed from its beginning beside that.
 *
 * The hash `behind:<group>` has, for the stream of the topic in `s` and for that of the retries in `r`, the entry after which it begins; in
 * `send` and `rend` the last one; in `left` how many of the stream of the topic there are. Trimming keeps them. With `ordered` nothing is left
 * behind: what is older of a key comes first.
 */
export const backlog = `
local function leaveBehind(group, from, after)
  local behind, about = base .. 'behind:' .. group, fieldsOf(redis.call('XINFO', 'STREAM', from))
  local last = about['last-generated-id']
  if after == last then return end
  if from == stream then
    local left = groupOf(stream, group).lag or about.length - redis.call('XPENDING', stream, group)[1]
    redis.call('HSET', behind, 's', after, 'send', last, 'left', left)
  else
    redis.call('HSET', behind, 'r', after, 'rend', last)
  end
  move(from, group, last, about['entries-added'])
end
-- The first of what was left behind, which is so no longer
local function nextBehind(group, from, count)
  local after, last = rangeOf(group, from)
  if not after or count <= 0 then return {} end
  local behind = base .. 'behind:' .. group
  local entries = redis.call('XRANGE', from, '(' .. after, last, 'COUNT', count)
  if #entries < count then
    redis.call('HDEL', behind, unpack(from == stream and { 's', 'send', 'left' } or { 'r', 'rend' }))
  else
    redis.call('HSET', behind, from == stream and 's' or 'r', entries[#entries][1])
    if from == stream then redis.call('HINCRBY', behind, 'left', -#entries) end
  end
  return entries
end
-- As if they were read
local function claimUnread(group, from, consumer, entries)
  if #entries == 0 then return end
  local args = { from, group, consumer, 0, unpack(entries) }
  for _, each in ipairs({ 'RETRYCOUNT', 1, 'FORCE', 'JUSTID' }) do args[#args + 1] = each end
  redis.call('XCLAIM', unpack(args))
end
`;
