-- SPDX-License-Identifier: MIT
--
-- Puts one message into each of some mailboxes, and rings there. Each has an outcome of its own.
-- Layouts: KEYS.md.
-- KEYS  of each mailbox: base, unacked, mailbox, clients; behind them letterbox:reign
-- ARGV  1 now (ms)  2 element  3 most messages kept  4 longest element a ring may carry
--       5 expiries older than this are due (ms)  6 life of base (ms)  7 life of the others (ms)
--       8 life of a client (ms)  9 longest element that is not counted  10 most bytes kept
-- Out   of each mailbox {epoch, seq, queued, waiting (0 or 1)}, or the error it met; where all have
--       met one, the first of these alone

-- (Without upvalues: each would cost every call of the script a bit.)
local function push(reign, base_key, unacked_key, mailbox_key, clients_key)
  local call = redis.call
  local now = tonumber(ARGV[1])

  local record = call('GET', base_key)
  local epoch, base, touched, watchers = '0', 0, 0, ''
  if record then
    epoch, base, touched, watchers = string.match(record, '^(%d+) (%d+) (%d+)(.*)$')
    base, touched = tonumber(base), tonumber(touched)
  end
  -- What stands between the counts and the watchers, if anything: `+BYTES`, `<EPOCH:LAST` of forks.
  local changed, bytes, forks = false, nil, ''
  if string.byte(watchers) ~= 32 then
    bytes, forks, watchers = string.match(watchers, '^%+?(%d*)([<:%d]*)(.*)$')
    bytes = tonumber(bytes)
  end

  -- Nobody has pushed yet: the mailbox begins here. `touched` then holds the epoch to stay above.
  if epoch == '0' then
    epoch = string.format('%.0f', math.max(now, touched + 1, reign))
    base, touched, changed, bytes = 0, 0, true, nil
    -- (Only where there is one: a script that has written is not refused for want of memory.)
    if call('EXISTS', unacked_key) == 1 then call('DEL', unacked_key) end
  end

  local length = call('RPUSH', unacked_key, ARGV[2])
  local seq = string.format('%.0f', base + length)
  local acknowledged = 0

  -- Under an earlier reign more may have been given than is known here, with ids that must not be
  -- given again: they go on in a new epoch. (What clients have of the old one is translated, now and
  -- later.)
  if epoch - reign < 0 then
    local last = base + length - 1
    local new = string.format('%.0f', math.max(now, reign, tonumber(epoch) + 1))
    local lines = call('HGETALL', clients_key)
    forks = string.format('%s<%s:%.0f', forks, epoch, last)
    for i = 1, #lines, 2 do
      local e, s, rest = string.match(lines[i + 1], '^(%d+) (%d+)(.*)$')
      local most = string.match(forks, '<' .. e .. ':(%d+)')
      if most then
        call('HSET', clients_key, lines[i], string.format('%s %.0f%s', new, math.min(s, most), rest))
      end
    end
    if select(2, string.gsub(forks, '<', '')) > 8 then forks = string.match(forks, '^<[^<]*(.*)$') end
    epoch, changed = new, true
  end

  -- From the first long message on, until the list has been empty, the bytes in it are counted: as
  -- many short ones as may be kept never are too many.
  local long = #ARGV[2] > tonumber(ARGV[9])
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
    -- What every live client has acknowledged leaves by eights.
    local least
    for _, line in ipairs(call('HVALS', clients_key)) do
      local e, s, seen, parked = string.match(line, '^(%d+) (%d+) (%d+) (%d+)')
      if tonumber(parked) > now or tonumber(seen) + tonumber(ARGV[8]) > now then
        local most = e ~= epoch and string.match(forks, '<' .. e .. ':(%d+)')
        s = e == epoch and tonumber(s) or most and math.min(s, most) or base
        if not least or s < least then least = s end
      end
    end
    acknowledged = least and math.min(math.max(least - base, 0), length - 1) or 0
    if bytes then
      -- What goes is looked at; the newest message stays, however long.
      local surplus = math.max(acknowledged, length - tonumber(ARGV[3]))
      while length > 1 and (surplus > 0 or bytes > tonumber(ARGV[10])) do
        bytes = bytes - #call('LPOP', unacked_key)
        base, length, surplus = base + 1, length - 1, surplus - 1
      end
      acknowledged = 0
    end
    if acknowledged >= 8 then
      call('LTRIM', unacked_key, acknowledged, -1)
      base, length, acknowledged, changed = base + acknowledged, length - acknowledged, 0, true
    end

    local surplus = length - acknowledged - tonumber(ARGV[3])
    if surplus > 0 then
      surplus, acknowledged = surplus + acknowledged, 0
      call('LTRIM', unacked_key, surplus, -1)
      base, length, changed = base + surplus, length - surplus, true
    end
    -- What has expired at the front goes now: only the front can, ids have no holes.
    while length > 1 and acknowledged == 0 do
      local expires = tonumber(string.match(call('LINDEX', unacked_key, 0), '^(%d+) '))
      if expires == 0 or expires > now then break end
      local gone = call('LPOP', unacked_key)
      base, length, changed = base + 1, length - 1, true
      if bytes then bytes = bytes - #gone end
    end
  end

  -- Expiries are renewed now and then. `base` goes first of all, so that no list is ever without
  -- the epoch and the count that give it its ids.
  if touched < tonumber(ARGV[5]) then
    touched, changed = now, true
    call('PEXPIRE', unacked_key, ARGV[7])
    call('PEXPIRE', clients_key, ARGV[7])
  end
  if changed then
    local count = bytes and string.format('+%.0f', bytes) or ''
    call('SET', base_key,
      string.format('%s %.0f %.0f%s%s%s', epoch, base, touched, count, forks, watchers), 'PX', ARGV[6])
  end

  -- Programs that watch this mailbox. Each gets a ring of its own.
  local watching, rest = 0, watchers
  while rest ~= '' do
    local till
    till, rest = string.match(rest, '^ %S+ (%d+)(.*)$')
    if tonumber(till) > now then watching = watching + 1 end
  end

  -- A ring carries the message. A program that watches alone gets one for each, and takes them in
  -- their order. Mostly it takes this one as soon as we are through: no expiry is set for that
  -- moment.
  local ring = #ARGV[2] <= tonumber(ARGV[4]) and '\1' .. epoch .. '-' .. seq .. ' ' .. ARGV[2]
  local alone = watching == 1 and ring
  local rung
  if alone then
    rung = call('RPUSH', mailbox_key, ring) - 1
    if rung == 0 then return {epoch, seq, length - acknowledged, 1} end
  else
    rung = call('LLEN', mailbox_key)
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

local reign = redis.call('GET', KEYS[#KEYS]) or 0
if #KEYS == 5 then return {push(reign, KEYS[1], KEYS[2], KEYS[3], KEYS[4])} end

local outcomes, failures, first = {}, 0, nil
for i = 1, #KEYS - 1, 4 do
  local done, outcome = pcall(push, reign, KEYS[i], KEYS[i + 1], KEYS[i + 2], KEYS[i + 3])
  if not done then
    -- (A table since Redis 7, a text before.)
    outcome = type(outcome) == 'table' and outcome or {err = outcome}
    failures, first = failures + 1, first or outcome
  end
  outcomes[#outcomes + 1] = outcome
end
if failures == #outcomes then return first end
return outcomes
