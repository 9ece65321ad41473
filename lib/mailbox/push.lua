-- SPDX-License-Identifier: MIT
--
-- Puts messages into mailboxes, each into one or several, and rings the programs that watch these. Each
-- mailbox has an outcome of its own: if that is an error, nothing was stored in it. Layouts: KEYS.md.
-- KEYS  for each mailbox: base, unacked, mailbox, clients; after them letterbox:reign
-- ARGV  1 now (ms)  2 most messages kept  3 longest element a ring may carry
--       4 expiries older than this are due (ms)  5 life of base (ms)  6 life of the others (ms)
--       7 life of a client (ms)  8 longest element that is not counted  9 most bytes kept
--       10 the caller as a watcher, if it wants to be told by the answer
--       11 how long after `now` the caller is sure to hear the answer (ms)
--       12 when a message that nobody has acknowledged is due at the web hook (ms); 0: no web hook
--       13 life of the record of an idempotent push (ms)
--       14, 15, 16 and so on: a message's element, for how many mailboxes in a row it is, and its
--          options, words divided by blanks: `r=NAME` the push is idempotent, by the record NAME;
--          `c=KEY` it takes the place of what is unread under this key; `s=ID` it is what is
--          scheduled under this id, and is taken out there
--       the last, if one is left over: the raw element of this one mailbox from which the message is
--          made, and which is taken out of the list
-- Out   for each mailbox {epoch, seq, queued, waiting}, or the error it met; if all mailboxes met one,
--       only the first error. waiting: 0 no program, 1 a program was rung, 2 the caller watches, and
--       was not rung: it has the message. With a fifth element: nothing was pushed, since the record
--       has this outcome already; {'scheduled', id, time, 0, 1}: it has that the message is scheduled.
--       {}: the raw element, or what was scheduled, is not there any more.

-- (Functions take what they need as arguments: an upvalue makes each call of the script a little
-- slower. And `x + 0` converts a text to a number once, tonumber(x) twice.)

-- The list goes on in `epoch` instead of `forked`, whose last number is `last`. The clients' positions
-- in the old epoch are translated: those in `clients` now, others later, by the forks returned here.
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
-- empty: as many short messages as may be kept never exceed the bound.
local function counted(unacked_key, element, length, bytes, long)
  if length == 1 then return long and #element or nil end
  if bytes then return bytes + #element end
  bytes = 0
  for at = 0, length - 1, 32 do
    for _, kept in ipairs(redis.call('LRANGE', unacked_key, at, at + 31)) do
      bytes = bytes + #kept
    end
  end
  return bytes
end

-- How many of the first messages every live client has acknowledged, and whether there is such a client.
-- (A line that can't be read may belong to a client that has nothing yet.)
local function acknowledged_by_all(lines, epoch, forks, base, length, now)
  local least
  for _, line in ipairs(lines) do
    -- Part: line.lua
    if not at or parked + 0 > now or seen + ARGV[7] > now then
      at = at or base
      if not least or at < least then least = at end
    end
  end
  return least and math.min(math.max(least - base, 0), length - 1) or 0, least ~= nil
end

-- How many messages leave the front, and how many bytes then remain. Acknowledged messages leave once
-- there are eight, or at once if bytes are counted. Messages beyond the bounds leave. Of expired ones
-- at most 32 leave, the rest with later pushes. The newest message stays, even if it is too long. Only
-- the front can leave, since ids have no holes.
local function to_drop(unacked_key, length, bytes, acknowledged, heard, most, now)
  if bytes then
    local gone = 0
    local surplus = math.max(acknowledged, length - most)
    while length - gone > 1 and (gone < surplus or bytes > ARGV[9] + 0) do
      bytes = bytes - #redis.call('LINDEX', unacked_key, gone)
      gone = gone + 1
    end
    if gone > 0 then return gone, bytes end
  elseif acknowledged >= 8 or length - acknowledged > most then
    return math.max(acknowledged, length - most), bytes
  end
  -- (An element that can't be read counts as expired. If acknowledged messages are in front, the
  -- expired ones behind them wait for a later push. A placeholder stays if there is a live client, which
  -- would be told that it missed a message.)
  local gone = 0
  local first = acknowledged == 0 and redis.call('LINDEX', unacked_key, 0)
  local expires = first and (first ~= '~' or not heard) and (string.match(first, '^(%d+) ') or 1) + 0 or 0
  if expires == 0 or expires > now then return 0, bytes end
  for _, element in ipairs(redis.call('LRANGE', unacked_key, 0, math.min(32, length - 1) - 1)) do
    expires = (string.match(element, '^(%d+) ') or 1) + 0
    if expires == 0 or expires > now or (element == '~' and heard) then break end
    gone = gone + 1
    if bytes then bytes = bytes - #element end
  end
  return gone, bytes
end

-- Hangs a ring in the list, for a program that comes later or that listens there, or a bell once there
-- is more than one message. `last` is the last element of the list.
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
  redis.call('PEXPIRE', mailbox_key, ARGV[6])
end

-- How many placeholders the list has. `collapse` keeps their count, and the `base` that it is for: if
-- acknowledgements have moved the base since, they are counted again.
local function placeholders(unacked_key, collapse_key, base, length)
  local counted_at, count =
    string.match(redis.call('HGET', collapse_key, '') or '', '^(%d+) (%d+)$')
  if not counted_at then return 0 end
  if counted_at + 0 == base then return count + 0 end
  count = 0
  for at = 0, length - 1, 32 do
    for _, kept in ipairs(redis.call('LRANGE', unacked_key, at, at + 31)) do
      if kept == '~' then count = count + 1 end
    end
  end
  redis.call('HSET', collapse_key, '', string.format('%.0f %.0f', base, count))
  return count
end

-- The first messages of the list are about to leave it: how many of them are placeholders.
local function placeholders_leave(unacked_key, collapse_key, base, gone, count)
  for _, element in ipairs(redis.call('LRANGE', unacked_key, 0, gone - 1)) do
    if element == '~' then count = count - 1 end
  end
  redis.call('HSET', collapse_key, '', string.format('%.0f %.0f', base + gone, count))
end

-- The message `seq` is the newest one under this key: the one before it, if it is still in the list,
-- becomes a placeholder. Returns the bytes in the list.
local function collapse(unacked_key, collapse_key, key, base, seq, bytes)
  local before = tonumber(redis.call('HGET', collapse_key, key) or 0) or 0
  local index = before - base - 1
  if index >= 0 and before < seq then
    -- Part: withdraw.lua
  end
  -- Keys whose messages have left the list are forgotten, now and then.
  local new = redis.call('HSET', collapse_key, key, string.format('%.0f', seq)) == 1
  if new and redis.call('HLEN', collapse_key) % 1000 == 0 then
    local fields = redis.call('HGETALL', collapse_key)
    for i = 1, #fields, 2 do
      if fields[i] ~= '' and (tonumber(fields[i + 1]) or 0) <= base then
        redis.call('HDEL', collapse_key, fields[i])
      end
    end
  end
  redis.call('PEXPIRE', collapse_key, ARGV[6])
  return bytes
end

-- A reply about a key that may be of a wrong type: then the push ends by an error that names it.
local function sound(key, reply)
  if type(reply) == 'table' and reply.err then
    error({err = 'BROKEN ' .. key .. ' is of a wrong type'})
  end
  return reply
end

-- What became of an idempotent push before; nil: nothing yet.
local function recorded(record_key)
  local record = sound(record_key, redis.pcall('GET', record_key))
  if not record then return nil end
  local first, second, queued, waiting = string.match(record, '^(%S+) (%S+) (%d+) (%d)$')
  return first and {first, second, queued + 0, waiting + 0, 1} or nil
end

-- Whether a program reads this address: its oldest ring has been there for less than two seconds.
local function is_read(address_key, now)
  local oldest = redis.pcall('LINDEX', address_key, 0)
  return not oldest or type(oldest) == 'string' and now - (string.match(oldest, '^%d+') or 0) < 2000
end

-- Tells the programs that watch: the caller by the answer, each other one by an entry in `rings`, under
-- its name. Returns `waiting`, and whether the list needs a ring or a bell: if no program was
-- told, or if one listens there alone (a program of a version without addresses).
local function announce(watchers, rings, now, caller, base_key, epoch, seq)
  local waiting, told, listens = 0, false, false
  for who, till in string.gmatch(watchers, ' (%S+) (%d+)') do
    if till + 0 <= now then
      -- the program has gone
    elseif who == caller then
      waiting, told = 2, true
    elseif string.byte(who) == 64 then -- '@'
      local ring = rings[who]
      if not ring then
        local key = string.gsub(KEYS[#KEYS], '^(.*)reign:?', '%1address:') .. string.sub(who, 2)
        ring = {key = key, read = is_read(key, now)}
        rings[who] = ring
      end
      ring[#ring + 1] = string.format('%s %s-%.0f', string.match(base_key, '[{}]([^}]+)}?$'), epoch, seq)
      if waiting == 0 and ring.read then waiting = 1 end
      told = true
    else
      if waiting == 0 then waiting = 1 end
      listens = true
    end
  end
  return waiting, listens or not told
end

local function push(now, reign, element, options, rings, caller, base_key, unacked_key, mailbox_key,
  clients_key)
  local call = redis.call
  -- Keys of the same user that few pushes need.
  local start, tag = string.match(base_key, '^(.*)base:({.*)$')
  local collapse_key = start .. 'collapse:' .. tag
  local schedule_key, record_key, collapsing
  if options ~= '' then
    local name = string.match(options, 'r=(%S+)')
    record_key = name and start .. 'pushed:' .. tag .. ':' .. name
    local outcome = record_key and recorded(record_key)
    if outcome then return outcome end
    local id = string.match(options, 's=(%S+)')
    schedule_key = id and start .. 'scheduled:' .. tag
    if id and sound(schedule_key, redis.pcall('HEXISTS', schedule_key, id)) == 0 then return {} end
    collapsing = string.match(options, 'c=(%S+)')
    if collapsing then sound(collapse_key, redis.pcall('HLEN', collapse_key)) end
  end
  local record, its_key = call('GET', base_key), base_key
  -- Part: record.lua
  if fault then error(fault) end
  local changed = false

  -- There was no push yet: the mailbox begins here. `touched` then holds the epoch to stay above.
  if epoch == '0' then
    epoch = string.format('%.0f', math.max(now, touched + 1, reign))
    base, touched, changed, bytes = 0, 0, true, nil
    -- (Only if there is one: Redis would let a script that has written go on, though it is full.)
    if call('EXISTS', unacked_key, collapse_key) > 0 then call('DEL', unacked_key, collapse_key) end
  end

  -- Under an earlier reign clients may have been given more messages than are known here. Their ids
  -- must not be given again, so the ids go on in a new epoch.
  local forked = epoch - reign < 0 and epoch
  if forked then epoch = string.format('%.0f', math.max(now, reign, epoch + 1)) end

  local length = call('RPUSH', unacked_key, element)
  local seq = base + length
  local lines = length > 1 and redis.pcall('HVALS', clients_key) or {}
  local waiting, listed = announce(watchers, rings, now, caller, base_key, epoch, seq)
  local tail = listed and redis.pcall('LRANGE', mailbox_key, -1, -1) or {}
  -- One of the keys is of a wrong type: a push that is answered by an error stores nothing.
  if lines.err or tail.err then
    call('RPOP', unacked_key)
    error(lines.err and lines or tail)
  end

  if forked then
    forks, changed = fork(clients_key, forks, forked, epoch, seq - 1), true
  end
  local long = #element > ARGV[8] + 0
  if long or bytes then
    bytes, changed = counted(unacked_key, element, length, bytes, long), true
  end
  if collapsing then bytes = collapse(unacked_key, collapse_key, collapsing, base, seq, bytes) end

  local acknowledged = 0
  if length == 1 then
    -- A list that was emptied has lost its expiry.
    call('PEXPIRE', unacked_key, ARGV[6])
  else
    local gone, heard, most, empty = 0, false, ARGV[2] + 0, 0
    acknowledged, heard = acknowledged_by_all(lines, epoch, forks, base, length, now)
    -- (Up to 10,000 placeholders push out no message.)
    if length - acknowledged > most then
      empty = placeholders(unacked_key, collapse_key, base, length)
      most = most + math.min(empty, 10000)
    end
    gone, bytes = to_drop(unacked_key, length, bytes, acknowledged, heard, most, now)
    if gone > 0 then
      if empty > 0 then placeholders_leave(unacked_key, collapse_key, base, gone, empty) end
      call('LTRIM', unacked_key, gone, -1)
      base, length, changed = base + gone, length - gone, true
      acknowledged = math.max(acknowledged - gone, 0)
    end
  end

  -- Expiries are renewed now and then. `base` expires before the others, so that no list is ever
  -- without the epoch and the count that give it its ids.
  if touched < ARGV[4] + 0 then
    touched, changed = now, true
    call('PEXPIRE', unacked_key, ARGV[6])
    call('PEXPIRE', clients_key, ARGV[6])
    call('PEXPIRE', collapse_key, ARGV[6])
  end
  if changed then
    local count = bytes and string.format('+%.0f', bytes) or ''
    call('SET', base_key,
      string.format('%s %.0f %.0f%s%s%s', epoch, base, touched, count, forks, watchers), 'PX', ARGV[5])
  end
  if listed then
    hang(mailbox_key, tail[1],
      #element <= ARGV[3] + 0 and string.format('\1%s-%.0f ', epoch, seq) .. element)
  end
  local id, queued = string.format('%.0f', seq), length - acknowledged
  if record_key then
    call('SET', record_key,
      string.format('%s %s %.0f %d', epoch, id, queued, math.min(waiting, 1)), 'PX', ARGV[13])
  end
  if schedule_key then
    local id = string.match(options, 's=(%S+)')
    -- Part: unschedule.lua
  end
  return {epoch, id, queued, waiting}
end

-- One element tells an address all about a message. It is neither kept nor replicated: a program that
-- loses the connection to its address looks at everything. If a program does not read, one element that
-- says to look at everything replaces the others. (Errors here are ignored: the message is stored, and
-- that is the answer.)
local function ring_at(named, element)
  redis.set_repl(redis.REPL_NONE)
  local key, carried = named.key, #element <= ARGV[3] + 0 and element or ''
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
-- (Taking the raw element out makes room, so a Redis that is full adopts it too.)
local raw = #ARGV % 3 == 2 and ARGV[#ARGV]
if raw and redis.call('LREM', KEYS[3], 1, raw) == 0 then return {} end

-- A caller that may have stopped waiting for the answer is rung like any other program.
local caller, time = ARGV[10], redis.call('TIME')
if time[1] * 1000 + time[2] / 1000 - now > ARGV[11] + 0 then caller = '' end

local outcomes, told, failures, failure = {}, {}, 0, nil
local first, unheard = 1, {}
for message = 14, #ARGV - 2, 3 do
  local element, options, rings = ARGV[message], ARGV[message + 2], {}
  for _ = 1, ARGV[message + 1] + 0 do
    local last = first + 3
    local done, outcome = pcall(push, now, reign, element, options, rings, caller, KEYS[first],
      KEYS[first + 1], KEYS[first + 2], KEYS[last])
    if not done then
      local met = outcome
      -- Part: met.lua
      outcome, failures, failure = met, failures + 1, failure or met
    elseif ARGV[12] ~= '0' and #outcome == 4 then
      unheard[#unheard + 1] = ARGV[12]
      unheard[#unheard + 1] = string.format('%s %s-%s', string.match(KEYS[first], '[{}]([^}]+)}?$'),
        outcome[1], outcome[2])
    end
    outcomes[#outcomes + 1], first = outcome, last + 1
  end
  if next(rings) then told[#told + 1] = {element, rings} end
end
if raw and failure then redis.call('LPUSH', KEYS[3], raw) end
if #unheard > 0 then
  local unheard_key = string.gsub(KEYS[#KEYS], '^(.*)reign', '%1unheard')
  redis.pcall('ZADD', unheard_key, unpack(unheard))
end
-- (Last of all: nothing that comes after a ring is replicated.)
for _, of in ipairs(told) do
  for _, named in pairs(of[2]) do ring_at(named, of[1]) end
end
if failures == #outcomes then return failure end
return outcomes
