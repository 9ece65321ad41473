-- SPDX-License-Identifier: MIT
--
-- Puts one message into each of some mailboxes, and rings for whoever watches there. Each mailbox has
-- an outcome of its own: if that is an error, nothing was stored in it. Layouts: KEYS.md.
-- KEYS  of each mailbox: base, unacked, mailbox, clients; behind them letterbox:reign
-- ARGV  1 now (ms)  2 element  3 most messages kept  4 longest element a ring may carry
--       5 expiries older than this are due (ms)  6 life of base (ms)  7 life of the others (ms)
--       8 life of a client (ms)  9 longest element that is not counted  10 most bytes kept
--       11 the caller as a watcher, if it wants to be told by the answer
--       12 how long after `now` the caller is sure to hear the answer (ms)
--       13 may be left out: the raw element of this one mailbox that the message is made of, and
--          which is taken out for it
-- Out   of each mailbox {epoch, seq, queued, waiting}, or the error it met; if all have met one, the
--       first of these alone. waiting: 0 nobody, 1 a program was rung, 2 the caller watches, and was
--       not rung: it has the message. {}: the raw element is not there any more.

-- (Functions take what they need as arguments: an upvalue costs each call of the script a bit. And
-- `x + 0` makes a number of a text once, tonumber(x) twice.)

-- The list goes on in `epoch` instead of `forked`, whose last number is `last`: what the clients have
-- of the old epoch is translated, now and, by the forks that are returned, later.
local function fork(clients_key, forks, forked, epoch, last)
  forks = string.format('%s<%s:%.0f', forks, forked, last)
  local fields = redis.pcall('HGETALL', clients_key)
  for i = 1, #fields, 2 do
    local e, s, rest = string.match(fields[i + 1], '^(%d+) (%d+)(.*)$')
    local most = e and string.match(forks, '<' .. e .. ':(%d+)')
    if most then
      redis.call('HSET', clients_key, fields[i],
        string.format('%s %.0f%s', epoch, math.min(s, most), rest))
    end
  end
  if select(2, string.gsub(forks, '<', '')) > 8 then forks = string.match(forks, '^<[^<]*(.*)$') end
  return forks
end

-- The bytes in the list. They are counted from the first long message on, until the list has been
-- empty: as many short ones as may be kept never are too many.
local function counted(unacked_key, length, bytes, long)
  if length == 1 then return long and #ARGV[2] or nil end
  if bytes then return bytes + #ARGV[2] end
  bytes = 0
  for at = 0, length - 1, 32 do
    for _, element in ipairs(redis.call('LRANGE', unacked_key, at, at + 31)) do
      bytes = bytes + #element
    end
  end
  return bytes
end

-- How many of the first messages every live client has acknowledged. (A line that can't be read may
-- be a client's that has nothing yet.)
local function acknowledged_by_all(lines, epoch, forks, base, length, now)
  local least
  for _, line in ipairs(lines) do
    -- Part: line.lua
    if not at or parked + 0 > now or seen + ARGV[8] > now then
      at = at or base
      if not least or at < least then least = at end
    end
  end
  return least and math.min(math.max(least - base, 0), length - 1) or 0
end

-- How many messages leave the front, and the bytes that are left: what is acknowledged leaves by
-- eights, or at once if bytes are counted; what is more than may be kept; of what has expired 32 at
-- most, the rest with later pushes. The newest message stays, however long. Only the front can leave,
-- ids have no holes.
local function to_drop(unacked_key, length, bytes, acknowledged, now)
  local most = ARGV[3] + 0
  if bytes then
    local gone = 0
    local surplus = math.max(acknowledged, length - most)
    while length - gone > 1 and (gone < surplus or bytes > ARGV[10] + 0) do
      bytes = bytes - #redis.call('LINDEX', unacked_key, gone)
      gone = gone + 1
    end
    if gone > 0 then return gone, bytes end
  elseif acknowledged >= 8 or length - acknowledged > most then
    return math.max(acknowledged, length - most), bytes
  end
  -- (One that can't be read is as good as expired. Behind acknowledged ones none is looked for.)
  local gone = 0
  local first = acknowledged == 0 and redis.call('LINDEX', unacked_key, 0)
  local expires = first and (string.match(first, '^(%d+) ') or 1) + 0 or 0
  if expires == 0 or expires > now then return 0, bytes end
  for _, element in ipairs(redis.call('LRANGE', unacked_key, 0, math.min(32, length - 1) - 1)) do
    expires = (string.match(element, '^(%d+) ') or 1) + 0
    if expires == 0 or expires > now then break end
    gone = gone + 1
    if bytes then bytes = bytes - #element end
  end
  return gone, bytes
end

-- Nobody is rung: what says that something is there hangs in the list, a ring, or a bell once there
-- is more. `last` is what the list ends with.
local function hang(mailbox_key, last, ring)
  if string.find(last or '', '^\1%*') then return end
  local bell = '\1*' .. ARGV[1]
  if not last then
    redis.call('RPUSH', mailbox_key, ring or bell)
  elseif string.byte(last) == 1 then
    redis.call('LSET', mailbox_key, -1, bell)
  else
    redis.call('RPUSH', mailbox_key, bell)
  end
  redis.call('PEXPIRE', mailbox_key, ARGV[7])
end

-- Whether an address is read: its oldest ring has not stood there for two seconds.
local function is_read(address_key, now)
  local oldest = redis.pcall('LINDEX', address_key, 0)
  return not oldest or type(oldest) == 'string' and now - (string.match(oldest, '^%d+') or 0) < 2000
end

-- Who watches is told, or named in `rings`, by its address' key. Returns what is said of it, and whether what
-- hangs in the list is needed: nobody is told, or by it alone (a program of a version without an
-- address).
local function announce(watchers, rings, now, caller, user, id)
  local waiting, told, listens = 0, false, false
  for who, till in string.gmatch(watchers, ' (%S+) (%d+)') do
    if till + 0 <= now then
      -- it has gone
    elseif who == caller then
      waiting, told = 2, true
    elseif string.byte(who) == 64 then -- '@'
      local key = 'letterbox:address:' .. string.sub(who, 2)
      local ring = rings[key] or {read = is_read(key, now)}
      rings[key] = ring
      ring[#ring + 1] = user .. ' ' .. id
      if waiting == 0 and ring.read then waiting = 1 end
      told = true
    else
      if waiting == 0 then waiting = 1 end
      listens = true
    end
  end
  return waiting, listens or not told
end

local function push(now, reign, rings, caller, base_key, unacked_key, mailbox_key, clients_key)
  local call = redis.call
  local record, its_key = call('GET', base_key), base_key
  -- Part: record.lua
  if fault then error(fault) end
  local changed = false

  -- Nobody has pushed yet: the mailbox begins here. `touched` then holds the epoch to stay above.
  if epoch == '0' then
    epoch = string.format('%.0f', math.max(now, touched + 1, reign))
    base, touched, changed, bytes = 0, 0, true, nil
    -- (Only if there is one: a script that has written is not refused for want of memory.)
    if call('EXISTS', unacked_key) == 1 then call('DEL', unacked_key) end
  end

  -- Under an earlier reign more may have been given than is known here, with ids that must not be
  -- given again: they go on in a new epoch.
  local forked = epoch - reign < 0 and epoch
  if forked then epoch = string.format('%.0f', math.max(now, reign, epoch + 1)) end

  local length = call('RPUSH', unacked_key, ARGV[2])
  local id = string.format('%s-%.0f', epoch, base + length)
  local lines = length > 1 and redis.pcall('HVALS', clients_key) or {}
  local waiting, listed = announce(watchers, rings, now, caller, string.sub(base_key, 7, -2), id)
  local tail = listed and redis.pcall('LRANGE', mailbox_key, -1, -1) or {}
  -- One of the keys is no mailbox's: what is answered by an error is not stored.
  if lines.err or tail.err then
    call('RPOP', unacked_key)
    error(lines.err and lines or tail)
  end

  if forked then
    forks, changed = fork(clients_key, forks, forked, epoch, base + length - 1), true
  end
  local long = #ARGV[2] > ARGV[9] + 0
  if long or bytes then bytes, changed = counted(unacked_key, length, bytes, long), true end

  local seq, acknowledged = base + length, 0
  if length == 1 then
    -- A list that was emptied has lost its expiry.
    call('PEXPIRE', unacked_key, ARGV[7])
  else
    local gone
    acknowledged = acknowledged_by_all(lines, epoch, forks, base, length, now)
    gone, bytes = to_drop(unacked_key, length, bytes, acknowledged, now)
    if gone > 0 then
      call('LTRIM', unacked_key, gone, -1)
      base, length, changed = base + gone, length - gone, true
      acknowledged = math.max(acknowledged - gone, 0)
    end
  end

  -- Expiries are renewed now and then. `base` goes first of all, so that no list is ever without
  -- the epoch and the count that give it its ids.
  if touched < ARGV[5] + 0 then
    touched, changed = now, true
    call('PEXPIRE', unacked_key, ARGV[7])
    call('PEXPIRE', clients_key, ARGV[7])
  end
  if changed then
    local count = bytes and string.format('+%.0f', bytes) or ''
    call('SET', base_key,
      string.format('%s %.0f %.0f%s%s%s', epoch, base, touched, count, forks, watchers), 'PX', ARGV[6])
  end
  if listed then
    hang(mailbox_key, tail[1], #ARGV[2] <= ARGV[4] + 0 and '\1' .. id .. ' ' .. ARGV[2])
  end
  return {epoch, string.format('%.0f', seq), length - acknowledged, waiting}
end

-- One element for all that an address is told. Neither kept nor replicated: whoever loses sight of an
-- address looks at everything. A program that does not read is not told one by one for ever. (Whatever
-- goes wrong here, the message is stored, so it is answered as that.)
local function ring_at(key, named)
  redis.set_repl(redis.REPL_NONE)
  local carried = #ARGV[2] <= ARGV[4] + 0 and ARGV[2] or ''
  local rings =
    redis.pcall('RPUSH', key, ARGV[1] .. ' ' .. table.concat(named, ' ') .. '\n' .. carried)
  if type(rings) == 'table' or rings > 4096 then
    redis.pcall('DEL', key)
    rings = redis.pcall('RPUSH', key, ARGV[1] .. ' *\n')
  end
  if rings == 1 then redis.pcall('PEXPIRE', key, 600000) end
end

local now, reign = ARGV[1] + 0, redis.call('GET', KEYS[#KEYS])
-- Part: reign.lua
if fault then return fault end
-- (What is taken out makes room: in a Redis that is full it is adopted all the same.)
local raw = ARGV[13]
if raw and redis.call('LREM', KEYS[3], 1, raw) == 0 then return {} end

-- A caller that may have given up, and does not hear the answer any more, is rung as any other.
local caller, time = ARGV[11], redis.call('TIME')
if time[1] * 1000 + time[2] / 1000 - now > ARGV[12] + 0 then caller = '' end

local outcomes, rings, failures, failure = {}, {}, 0, nil
for first = 1, #KEYS - 1, 4 do
  local last = first + 3
  local done, outcome =
    pcall(push, now, reign, rings, caller, KEYS[first], KEYS[first + 1], KEYS[first + 2], KEYS[last])
  if not done then
    local met = outcome
    -- Part: met.lua
    outcome, failures, failure = met, failures + 1, failure or met
  end
  outcomes[#outcomes + 1] = outcome
end
if raw and failure then redis.call('LPUSH', KEYS[3], raw) end
for key, named in pairs(rings) do ring_at(key, named) end
if failures == #outcomes then return failure end
return outcomes
