-- SPDX-License-Identifier: MIT
--
-- What a poll does in Redis, in one step: acknowledge what the client has, read what follows, and
-- note that the client was seen and who watches for it. With a limit of 0 it only acknowledges and
-- notes. Layouts: KEYS.md.
-- KEYS  1 base  2 unacked  3 mailbox  4 clients  5 letterbox:reign
-- ARGV  1 now (ms)  2 client
--       3 epoch of the client's cursor; '0': from the oldest kept; '': from the cursor kept here,
--         which moves on to the last message read  4 its seq
--       5 most messages  6 bytes after which to stop  7 life of a client (ms)
--       8 watcher  9 watching until (ms; 0: not)  10 poll parked until, if nothing is found (ms)
--       11 expiries older than this are due (ms)  12 life of base (ms)  13 life of the others (ms)
--       14 most clients
-- Out   {epoch, start, newest, missed, reset, raw, watchers, forks, element...}: the elements follow
--       the cursor epoch-start without a hole; `raw` is 1 where a raw element waits to be adopted;
--       `forks` are as in base.
--       {}: a new client, while as many as there may be are all parked. Nothing was changed.
local now, client_life = tonumber(ARGV[1]), tonumber(ARGV[7])
local limit, bytes_most = tonumber(ARGV[5]), tonumber(ARGV[6])
local watch_until, park_until = tonumber(ARGV[9]), tonumber(ARGV[10])

local record = redis.call('GET', KEYS[1])
local epoch, base, touched, watchers = '0', 0, 0, ''
if record then
  local b, t
  epoch, b, t, watchers = string.match(record, '^(%d+) (%d+) (%d+)(.*)$')
  base, touched = tonumber(b), tonumber(t)
end
-- (The bytes in the list, where they are counted; and what the epoch goes on from: see push.lua.)
local counted, forks
counted, forks, watchers = string.match(watchers, '^%+?(%d*)([<:%d]*)(.*)$')
counted = tonumber(counted)
local exists = epoch ~= '0'
local length = exists and redis.call('LLEN', KEYS[2]) or 0
local newest = base + length

-- A position of an epoch that this one goes on from is one of this epoch. What it had beyond that
-- is not known here.
local function translated(e, s)
  local most = forks ~= '' and string.match(forks, '<' .. e .. ':(%d+)')
  if most then return epoch, math.min(s, most) end
  return e, tonumber(s)
end

-- What polls acknowledge is what makes room in a Redis that is full. A script that has written, be it
-- nothing that takes memory, is not refused for want of it.
redis.call('HDEL', KEYS[4], ' ')

-- A client more than there may be: those that have been away longest are forgotten for it. Who is
-- not parked, and was forgotten since it was here, stays so.
local lines = redis.call('HGETALL', KEYS[4])
local forgotten = false
if #lines >= 2 * tonumber(ARGV[14]) and redis.call('HEXISTS', KEYS[4], ARGV[2]) == 0 then
  local absent = {}
  for i = 1, #lines, 2 do
    local seen, parked = string.match(lines[i + 1], '^%d+ %d+ (%d+) (%d+)')
    if tonumber(parked) <= now then absent[#absent + 1] = {tonumber(seen), lines[i]} end
  end
  local surplus = #lines / 2 + 1 - tonumber(ARGV[14])
  if limit > 0 and #absent < surplus then return {} end
  forgotten = limit == 0 and park_until <= now
  if not forgotten then
    table.sort(absent, function(a, b) return a[1] < b[1] end)
    for i = 1, math.min(surplus, #absent) do redis.call('HDEL', KEYS[4], absent[i][2]) end
    lines = redis.call('HGETALL', KEYS[4])
  end
end

-- Where the clients are. What all that live have acknowledged may still stand at the front of the
-- list: it is as good as gone.
local kept, slowest, slowest_other
for i = 1, #lines, 2 do
  local e, s, seen, parked = string.match(lines[i + 1], '^(%d+) (%d+) (%d+) (%d+)')
  local own = lines[i] == ARGV[2]
  if own then kept = lines[i + 1] end
  if tonumber(seen) + client_life > now or tonumber(parked) > now then
    e, s = translated(e, s)
    local at = e == epoch and s or base
    slowest = math.min(slowest or at, at)
    if not own then slowest_other = math.min(slowest_other or at, at) end
  end
end
local front = base
if slowest then base = math.min(math.max(slowest, base), newest) end

-- A cursor of another epoch, or from the future, is answered by a reset.
-- (A note that took its time: what was seen of the client later counts.)
local late = limit == 0 and kept and tonumber(string.match(kept, '^%d+ %d+ (%d+)')) > now
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
-- What an earlier reign gave last may be missing here, and nothing has been pushed since: see push.lua.
if given == epoch and seq > newest then
  if epoch - (redis.call('GET', KEYS[5]) or 0) < 0 then seq = newest end
end
local start, missed, reset = base, 0, 0
if given == epoch and seq <= newest then
  start = seq
elseif given ~= '0' then
  reset = 1
end
if start < base then start, missed = base, base - start end

-- What follows. In slices, so that a full mailbox of large messages is never read whole.
local found, bytes, at = {}, 0, start - front
while #found < limit and at < length and bytes < bytes_most do
  local slice = redis.call('LRANGE', KEYS[2], at, at + math.min(32, limit - #found) - 1)
  for _, element in ipairs(slice) do
    if bytes >= bytes_most then break end
    found[#found + 1] = element
    bytes = bytes + #element
  end
  at = at + #slice
end

-- The client's own line: cursor, when seen, until when parked.
-- A note of a client whose cursor is kept here leaves that as it is: what it missed is still to be told.
local acked_epoch, acked = epoch, by_itself and start or start + #found
if limit == 0 and not by_itself then acked_epoch, acked = given, seq or 0 end
local client_is_new = false
if not late then
  local line = string.format('%s %.0f %.0f %.0f', acked_epoch, acked, now,
    #found > 0 and 0 or park_until)
  client_is_new = redis.call('HSET', KEYS[4], ARGV[2], line) == 1
end

-- Trim to the slowest live client. It can't be slower than we are without base having stayed.
if acked_epoch == epoch and not late then
  base = math.max(base, math.min(acked, slowest_other or acked))
end
if base > front and counted then
  for at = front, base - 1, 32 do
    for _, gone in ipairs(redis.call('LPOP', KEYS[2], math.min(32, base - at))) do
      counted = counted - #gone
    end
  end
elseif base > front then
  redis.call('LTRIM', KEYS[2], base - front, -1)
end

-- A note does not shorten the watch while anybody else is parked: that poll may have come by another
-- connection since the note was written. Nor does a late one.
if limit == 0 then
  local own = 0
  for who, till in string.gmatch(watchers, ' (%S+) (%d+)') do
    if who == ARGV[8] then own = tonumber(till) end
  end
  if watch_until < own and late then
    watch_until = own
  elseif watch_until < own then
    for i = 1, #lines, 2 do
      local parked = tonumber(string.match(lines[i + 1], ' (%d+)$'))
      if lines[i] ~= ARGV[2] and parked > now then watch_until = own end
    end
  end
end

-- Who watches: this program's line is renewed, those that ran out are dropped.
local others, count = '', 0
for who, till in string.gmatch(watchers, ' (%S+) (%d+)') do
  if who ~= ARGV[8] and tonumber(till) > now then
    others, count = others .. ' ' .. who .. ' ' .. till, count + 1
  end
end
if watch_until > now then
  others, count = others .. ' ' .. ARGV[8] .. ' ' .. string.format('%.0f', watch_until), count + 1
end

if exists then
  if touched < tonumber(ARGV[11]) then
    touched = now
    redis.call('PEXPIRE', KEYS[2], ARGV[13])
    redis.call('PEXPIRE', KEYS[3], ARGV[13])
    redis.call('PEXPIRE', KEYS[4], ARGV[13])
  elseif client_is_new then
    redis.call('PEXPIRE', KEYS[4], ARGV[13])
  end
  local count = counted and base < newest and string.format('+%.0f', counted) or ''
  redis.call('SET', KEYS[1],
    string.format('%s %.0f %.0f%s%s%s', epoch, base, touched, count, forks, others), 'PX', ARGV[12])
else
  -- Nobody ever pushed here: what is noted must not outlive the poll by much.
  local rest = math.max(watch_until - now, 1000)
  for _, key in ipairs({KEYS[1], KEYS[4]}) do rest = math.max(rest, redis.call('PTTL', key)) end
  if count > 0 or touched > 0 then
    redis.call('SET', KEYS[1], string.format('0 0 %.0f%s', touched, others),
      'PX', string.format('%.0f', rest))
  end
  redis.call('PEXPIRE', KEYS[4], string.format('%.0f', rest))
end

local raw = 0
if limit > 0 then
  for _, element in ipairs(redis.call('LRANGE', KEYS[3], 0, 15)) do
    if string.byte(element) ~= 1 then raw = 1 end
  end
end
local out = {epoch, string.format('%.0f', start), string.format('%.0f', newest),
  string.format('%.0f', missed), reset, raw, count, forks}
for i, element in ipairs(found) do out[8 + i] = element end
return out
