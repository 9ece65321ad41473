-- SPDX-License-Identifier: MIT
--
-- Puts one message into each of some mailboxes, and rings there. Each has an outcome of its own: where
-- that is an error, nothing was stored. Layouts: KEYS.md.
-- KEYS  of each mailbox: base, unacked, mailbox, clients; behind them letterbox:reign
-- ARGV  1 now (ms)  2 element  3 most messages kept  4 longest element a ring may carry
--       5 expiries older than this are due (ms)  6 life of base (ms)  7 life of the others (ms)
--       8 life of a client (ms)  9 longest element that is not counted  10 most bytes kept
--       11 may be left out: the raw element of this one mailbox that the message is made of, and
--         which is taken out for it
-- Out   of each mailbox {epoch, seq, queued, waiting (0 or 1)}, or the error it met; where all have
--       met one, the first of these alone. {}: the raw element is not there any more.

-- (Without upvalues: each would cost every call of the script a bit. And `x + 0` makes a number of a
-- text once, tonumber(x) twice.)
local function push(now, reign, base_key, unacked_key, mailbox_key, clients_key)
  local call = redis.call
  local record, its_key = call('GET', base_key), base_key
  -- Part: record.lua
  if fault then error(fault) end
  local changed, acknowledged = false, 0

  -- Nobody has pushed yet: the mailbox begins here. `touched` then holds the epoch to stay above.
  if epoch == '0' then
    epoch = string.format('%.0f', math.max(now, touched + 1, reign))
    base, touched, changed, bytes = 0, 0, true, nil
    -- (Only where there is one: a script that has written is not refused for want of memory.)
    if call('EXISTS', unacked_key) == 1 then call('DEL', unacked_key) end
  end

  -- Under an earlier reign more may have been given than is known here, with ids that must not be
  -- given again: they go on in a new epoch.
  local forked = epoch - reign < 0 and epoch
  if forked then epoch = string.format('%.0f', math.max(now, reign, epoch + 1)) end

  local length = call('RPUSH', unacked_key, ARGV[2])
  local seq = string.format('%.0f', base + length)
  local lines = length > 1 and redis.pcall('HVALS', clients_key) or {}

  -- Programs that watch this mailbox. Each gets a ring of its own.
  local watching = 0
  for till in string.gmatch(watchers, ' %S+ (%d+)') do
    if till + 0 > now then watching = watching + 1 end
  end

  -- A ring carries the message. A program that watches alone gets one for each, and takes them in
  -- their order.
  local ring = #ARGV[2] <= ARGV[4] + 0 and '\1' .. epoch .. '-' .. seq .. ' ' .. ARGV[2]
  local alone = watching == 1 and ring
  local rung
  if lines.err then
    rung = lines
  elseif alone then
    rung = redis.pcall('RPUSH', mailbox_key, ring)
  else
    rung = redis.pcall('LLEN', mailbox_key)
  end
  -- One of the keys is no mailbox's: what is answered by an error is not stored.
  if type(rung) == 'table' then
    call('RPOP', unacked_key)
    error(rung)
  end

  -- What the clients have of the old epoch is translated, now and later.
  if forked then
    forks = string.format('%s<%s:%.0f', forks, forked, base + length - 1)
    local fields = redis.pcall('HGETALL', clients_key)
    for i = 1, #fields, 2 do
      local e, s, rest = string.match(fields[i + 1], '^(%d+) (%d+)(.*)$')
      local most = e and string.match(forks, '<' .. e .. ':(%d+)')
      if most then
        call('HSET', clients_key, fields[i], string.format('%s %.0f%s', epoch, math.min(s, most), rest))
      end
    end
    if select(2, string.gsub(forks, '<', '')) > 8 then forks = string.match(forks, '^<[^<]*(.*)$') end
    changed = true
  end

  -- From the first long message on, until the list has been empty, the bytes in it are counted: as
  -- many short ones as may be kept never are too many.
  local long = #ARGV[2] > ARGV[9] + 0
  if long or bytes then
    changed = true
    if length == 1 then
      bytes = long and #ARGV[2] or nil
    elseif bytes then
      bytes = bytes + #ARGV[2]
    else
      bytes = 0
      for at = 0, length - 1, 32 do
        for _, element in ipairs(call('LRANGE', unacked_key, at, at + 31)) do
          bytes = bytes + #element
        end
      end
    end
  end

  if length == 1 then
    -- A list that was emptied has lost its expiry.
    call('PEXPIRE', unacked_key, ARGV[7])
  else
    -- What every live client has acknowledged leaves by eights. (A line that can't be read may be a
    -- client's that has nothing yet.)
    local least
    for _, line in ipairs(lines) do
      -- Part: line.lua
      if not at or parked + 0 > now or seen + ARGV[8] > now then
        at = at or base
        if not least or at < least then least = at end
      end
    end
    acknowledged = least and math.min(math.max(least - base, 0), length - 1) or 0
    if bytes then
      -- What goes is looked at; the newest message stays, however long.
      local surplus = math.max(acknowledged, length - ARGV[3])
      while length > 1 and (surplus > 0 or bytes > ARGV[10] + 0) do
        bytes = bytes - #call('LPOP', unacked_key)
        base, length, surplus = base + 1, length - 1, surplus - 1
      end
      acknowledged = 0
    end
    if acknowledged >= 8 then
      call('LTRIM', unacked_key, acknowledged, -1)
      base, length, acknowledged, changed = base + acknowledged, length - acknowledged, 0, true
    end

    local surplus = length - acknowledged - ARGV[3]
    if surplus > 0 then
      surplus, acknowledged = surplus + acknowledged, 0
      call('LTRIM', unacked_key, surplus, -1)
      base, length, changed = base + surplus, length - surplus, true
    end
    -- What has expired at the front goes now, 32 at most, the rest with later pushes: only the front
    -- can, ids have no holes.
    -- (One that can't be read is as good as expired.)
    local expires = acknowledged == 0 and length > 1
      and (string.match(call('LINDEX', unacked_key, 0), '^(%d+) ') or 1) + 0
    if expires and expires ~= 0 and expires <= now then
      local gone = 0
      for _, element in ipairs(call('LRANGE', unacked_key, 0, math.min(32, length - 1) - 1)) do
        expires = (string.match(element, '^(%d+) ') or 1) + 0
        if expires == 0 or expires > now then break end
        gone = gone + 1
        if bytes then bytes = bytes - #element end
      end
      call('LTRIM', unacked_key, gone, -1)
      base, length, changed = base + gone, length - gone, true
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

  -- Mostly the ring is taken as soon as we are through: no expiry is set for that moment.
  if alone then
    rung = rung - 1
    if rung == 0 then return {epoch, seq, length - acknowledged, 1} end
  end

  -- What hung there already and was not taken: the run of rings and bells at the end, behind
  -- anything raw.
  local rings, bells, since = 0, 0, now
  if rung > 0 then
    local tail = call('LRANGE', mailbox_key, -16, alone and -2 or -1)
    for i = #tail, 1, -1 do
      if string.byte(tail[i]) ~= 1 then break end
      local bell = string.match(tail[i], '^\1%*(%d+)')
      if bell then bells = bells + 1 else rings = rings + 1 end
      since = tonumber(bell or string.match(tail[i], '"time":(%d+)}$')) or since
    end
  end

  -- Where nobody takes them, or everybody needs one, there are bells, which say: read the list.
  local in_a_row = alone and bells == 0 and rings > 0 and rings < 8
  local bell = '\1*' .. ARGV[1]
  local wanted = math.max(watching, 1)
  if alone and not in_a_row then call('RPOP', mailbox_key) end
  local hung = in_a_row
  if not in_a_row and bells < wanted then
    hung = true
    if rung == 0 and wanted == 1 then
      call('RPUSH', mailbox_key, ring or bell)
    else
      if rings > 0 and bells == 0 then
        call('LSET', mailbox_key, -1, bell)
        bells = 1
      end
      for _ = bells + 1, wanted do call('RPUSH', mailbox_key, bell) end
    end
  end
  if hung then call('PEXPIRE', mailbox_key, ARGV[7]) end

  -- Two seconds untaken: whoever said to be watching is not.
  return {epoch, seq, length - acknowledged, watching > 0 and now - since < 2000 and 1 or 0}
end

local now, reign = ARGV[1] + 0, redis.call('GET', KEYS[#KEYS])
-- Part: reign.lua
if fault then return fault end
-- (What is taken out makes room: in a Redis that is full it is adopted all the same.)
local raw = ARGV[11]
if raw and redis.call('LREM', KEYS[3], 1, raw) == 0 then return {} end

local outcomes, failures, failure = {}, 0, nil
for first = 1, #KEYS - 1, 4 do
  local last = first + 3
  local done, outcome =
    pcall(push, now, reign, KEYS[first], KEYS[first + 1], KEYS[first + 2], KEYS[last])
  if not done then
    local met = outcome
    -- Part: met.lua
    outcome, failures, failure = met, failures + 1, failure or met
  end
  outcomes[#outcomes + 1] = outcome
end
if raw and failure then redis.call('LPUSH', KEYS[3], raw) end
if failures == #outcomes then return failure end
return outcomes
