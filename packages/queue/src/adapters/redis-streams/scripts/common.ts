/**
 * What all scripts know. KEYS[1] is the stream of the topic; its name without the last letter begins the names of all keys.
 * The first field of a message is named by a `:` and its id, and has its content: each name and value costs who reads it. Then come, where
 * there are such: `k` key, `x` when it expires, `n` deliveries before, `f` failures.
 *
 * A group reads the stream `s` of the topic, and `r:<group>`: what comes again. Paused messages are packed in the sorted
 * set `p:<group>`, delayed ones of the topic in `z`, by the time when they are due; dead ones in the hash `dead:<group>`,
 * in the order of the sorted set `died:<group>`. The set `sure:<group>` has the consumers from which nothing was taken away
 * since they held nothing: what such a consumer holds by its own account, it holds. Whatever takes a delivery away from its consumer
 * takes the consumer from this set first.
 */
export const common = `
local stream = KEYS[1]
local base = string.sub(stream, 1, -2)
local function milliseconds()
  local now = redis.call('TIME')
  return now[1] * 1000 + math.floor(now[2] / 1000)
end
`;

/**
 * Without memory, Redis lets no script begin to write with what may need some, and finishes one that has begun. What takes
 * messages out begins with this, or a server that is full would stay so.
 */
export const makingRoom: string = `${common}
redis.call('DEL', base .. 'none')
`;

/** All deliveries that a consumer holds, page by page. */
export const possession = `
local function eachHeld(from, group, consumer, visit)
  local first = '-'
  repeat
    local page = redis.call('XPENDING', from, group, first, '+', 1000, consumer)
    for _, each in ipairs(page) do visit(each[1], each[4]) end
    if #page > 0 then first = '(' .. page[#page][1] end
  until #page < 1000
end
`;
