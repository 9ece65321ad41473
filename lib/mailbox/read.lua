-- SPDX-License-Identifier: MIT
--
-- What a poll does in Redis, in one step: acknowledge what the client has, read what follows, and
-- note that the client was seen and who watches for it. With a limit of 0 it only acknowledges and
-- notes. Layouts: KEYS.md.
-- KEYS  1 base  2 unacked  3 mailbox  4 clients  5 letterbox:reign
-- ARGV  1 now (ms)  2 client
--       3 epoch of the client's cursor; '0': from the oldest kept; '': from the cursor kept here,
--         which moves on to the last message read  4 seq of the client's cursor
--       5 most messages  6 bytes after which to stop  7 life of a client (ms)
--       8 watcher  9 watching until (ms; 0: not)  10 poll parked until (ms), if no message is found;
--         with 17 also if one is found
--       11 expiries older than this are due (ms)  12 life of base (ms)  13 life of the others (ms)
--       14 most clients  15 epoch of what the client is known to have, if that is less than its
--         cursor; '0': nothing is known; missing: it has everything up to its cursor  16 seq of 15
--       17 given for a stream
-- Out   {epoch, start, newest, missed, reset, raw, forks, element...}: the elements follow the cursor
--       epoch-start without a hole; `raw` is 1 if a raw element waits to be adopted; `forks` are as in
--       base.
--       {}: a new client, while as many clients as allowed are all parked. Nothing was changed.
--       An error, if something that the client needs can't be read: nothing was acknowledged.
local now, client_life = ARGV[1] + 0, ARGV[7] + 0 -- (tonumber converts twice)
local limit, bytes_most = ARGV[5] + 0, ARGV[6] + 0
local watch_until, park_until = ARGV[9] + 0, ARGV[10] + 0

-- Each key is looked at before anything is written: if one is of a wrong type, the step ends here.
local record, its_key = redis.pcall('GET', KEYS[1]), KEYS[1]
local length, lines = redis.pcall('LLEN', KEYS[2]), redis.pcall('HGETALL', KEYS[4])
local hung = limit > 0 and redis.pcall('LRANGE', KEYS[3], 0, 15) or {}
local met = type(record) == 'table' and record or type(length) == 'table' and length
  or hung.err and hung or lines.err and lines
if met then
  local first, last = 1, 4
  -- Part: met.lua
  return met
end
-- Part: record.lua
if fault then return fault end
local exists = epoch ~= '0'
if not exists then length = 0 end
local newest = base + length

-- A position in an epoch from which this one has forked is also a position in this one. What the client
-- had beyond the fork is not known here. (As in line.lua, but a foreign epoch stays as it is.)
local function translated(e, s)
  local most = forks ~= '' and string.match(forks, '<' .. e .. ':(%d+)')
  if most then return epoch, math.min(s, most) end
  return e, tonumber(s)
end

-- In a Redis that is full, acknowledgements make room. Redis lets a script go on that has already
-- written, so this begins with a write that takes no memory.
redis.call('HDEL', KEYS[4], ' ')

-- One client too many: those that have been away longest are forgotten for it. A note of a client that
-- is not parked, and was forgotten meanwhile, does not bring it back.
local forgotten = false
if #lines >= 2 * ARGV[14] and redis.call('HEXISTS', KEYS[4], ARGV[2]) == 0 then
  local absent = {}
  for i = 1, #lines, 2 do
    local seen, parked = string.match(lines[i + 1], '^%d+ %d+ (%d+) (%d+)')
    if tonumber(parked or 0) <= now then absent[#absent + 1] = {tonumber(seen or 0), lines[i]} end
  end
  local surplus = #lines / 2 + 1 - ARGV[14]
  if limit > 0 and #absent < surplus then return {} end
  forgotten = limit == 0 and park_until <= now
  if not forgotten then
    table.sort(absent, function(a, b) return a[1] < b[1] end)
    for i = 1, math.min(surplus, #absent) do redis.call('HDEL', KEYS[4], absent[i][2]) end
    lines = redis.call('HGETALL', KEYS[4])
  end
end

-- How far the clients are. Messages that all live clients have acknowledged may still be at the front
-- of the list: they count as gone.
local kept, own_at, slowest, slowest_other
for i = 1, #lines, 2 do
  local line, own = lines[i + 1], lines[i] == ARGV[2]
  -- Part: line.lua
  if own then kept, own_at = line, at end
  -- (A line that can't be read may belong to a client that has nothing yet.)
  if not at or seen + client_life > now or parked + 0 > now then
    at = at or base
    slowest = math.min(slowest or at, at)
    if not own then slowest_other = math.min(slowest_other or at, at) end
  end
end
if kept and not own_at then
  return {err = 'BROKEN ' .. KEYS[4] .. " can't be read, of client '" .. ARGV[2] .. "'"}
end
local front = base
if slowest then base = math.min(math.max(slowest, base), newest) end

-- The answer to a cursor of another epoch, or from the future, is a reset.
-- (`late`: a delayed note. The client was seen later, and that counts.)
local late = limit == 0 and kept and string.match(kept, '^%d+ %d+ (%d+)') + 0 > now
late = late or forgotten
local by_itself = ARGV[3] ~= ''
local given, seq = ARGV[3], tonumber(ARGV[4])
if not by_itself then
  if kept then
    given, seq = string.match(kept, '^(%d+) (%d+)')
  else
    given = '0'
  end
end
given, seq = translated(given, seq)
-- The last messages of an earlier reign may be missing here, if nothing has been pushed since: see push.lua.
if given == epoch and seq > newest then
  local reign = redis.call('GET', KEYS[5])
  -- Part: reign.lua
  if fault then return fault end
  if epoch - reign < 0 then seq = newest end
end
local start, missed, reset = base, 0, 0
if given == epoch and seq <= newest then
  start = seq
elseif given ~= '0' then
  reset = 1
end
if start < base then start, missed = base, base - start end

local list, at, looked_most = KEYS[2], start - front, 1000
-- Part: found.lua

-- Writes the client's own line: cursor, when seen, until when parked. A note of a client whose cursor is
-- kept here leaves that as it is: the client has yet to be told what it missed.
local acked_epoch, acked = epoch, by_itself and start or start + #found
if ARGV[15] then
  local had_epoch, had = translated(ARGV[15], ARGV[16])
  acked = had_epoch == epoch and math.min(math.max(had, base), start) or base
end
if limit == 0 and not by_itself then acked_epoch, acked = given, seq or 0 end
local client_is_new = false
if not late then
  -- (If a message is found, a poll is answered and no longer parked, but a stream goes on.)
  local line = string.format('%s %.0f %.0f %.0f', acked_epoch, acked, now,
    messages > 0 and not ARGV[17] and 0 or park_until)
  client_is_new = redis.call('HSET', KEYS[4], ARGV[2], line) == 1
end

-- Trims to the slowest live client. `base` never moves past a client that is slower than this one.
if acked_epoch == epoch and not late then
  base = math.max(base, math.min(acked, slowest_other or acked))
end
if base > front and bytes then
  for at = front, base - 1, 32 do
    for _, gone in ipairs(redis.call('LPOP', KEYS[2], math.min(32, base - at))) do
      bytes = bytes - #gone
    end
  end
elseif base > front then
  redis.call('LTRIM', KEYS[2], base - front, -1)
end

-- A read does not shorten the watch, since another poll may need it. A note does not shorten it while
-- another client is parked: that poll may have come by another connection after the note was written. A
-- late note does not shorten it either.
local own = 0
for who, till in string.gmatch(watchers, ' (%S+) (%d+)') do
  if who == ARGV[8] then own = tonumber(till) end
end
if limit > 0 then
  watch_until = math.max(watch_until, own)
else
  if watch_until < own and late then
    watch_until = own
  elseif watch_until < own then
    for i = 1, #lines, 2 do
      local parked = tonumber(string.match(lines[i + 1], ' (%d+)$') or 0)
      if lines[i] ~= ARGV[2] and parked > now then watch_until = own end
    end
  end
end

-- Who watches: this program's entry is renewed, entries that ran out are dropped.
local watched = ''
for who, till in string.gmatch(watchers, ' (%S+) (%d+)') do
  if who ~= ARGV[8] and tonumber(till) > now then watched = watched .. ' ' .. who .. ' ' .. till end
end
if watch_until > now then
  watched = watched .. ' ' .. ARGV[8] .. ' ' .. string.format('%.0f', watch_until)
end

if exists then
  if touched < ARGV[11] + 0 then
    touched = now
    redis.call('PEXPIRE', KEYS[2], ARGV[13])
    redis.call('PEXPIRE', KEYS[3], ARGV[13])
    redis.call('PEXPIRE', KEYS[4], ARGV[13])
    redis.call('PEXPIRE', string.gsub(KEYS[1], 'base:({.*)$', 'collapse:%1'), ARGV[13])
  elseif client_is_new then
    redis.call('PEXPIRE', KEYS[4], ARGV[13])
  end
  local count = bytes and base < newest and string.format('+%.0f', bytes) or ''
  redis.call('SET', KEYS[1],
    string.format('%s %.0f %.0f%s%s%s', epoch, base, touched, count, forks, watched), 'PX', ARGV[12])
else
  -- There was never a push: what is noted here must not outlive the poll by much.
  local rest = math.max(watch_until - now, 1000)
  for _, key in ipairs({KEYS[1], KEYS[4]}) do rest = math.max(rest, redis.call('PTTL', key)) end
  if watched ~= '' or touched > 0 then
    redis.call('SET', KEYS[1], string.format('0 0 %.0f%s', touched, watched),
      'PX', string.format('%.0f', rest))
  elseif record then
    redis.call('DEL', KEYS[1])
  end
  redis.call('PEXPIRE', KEYS[4], string.format('%.0f', rest))
end

local raw = 0
for _, element in ipairs(hung) do
  if string.byte(element) ~= 1 then raw = 1 end
end
local out = {epoch, string.format('%.0f', start), string.format('%.0f', newest),
  string.format('%.0f', missed), reset, raw, forks}
for i, element in ipairs(found) do out[7 + i] = element end
return out
