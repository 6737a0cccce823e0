-- Requests and tasks in memory, and every step between task states. States: B blocked, Q ready, D delayed, R running;
-- ended: P passed, U unverified, G parity failed, F failed, C cancelled, S skipped. Requests: P planning, A active,
-- D done, C cancelled. A script loads a request, takes steps, and saves it once.
local BAND = 1099511627776  -- 2^40: distance between priorities in virtual time
local HEAD = 4294967296     -- 2^32: a returned task's lead over those never served
local WAKES = 256           -- most wake-ups kept a class
local LETTERS = {'B', 'Q', 'D', 'R', 'P', 'U', 'G', 'F', 'C', 'S'}
local ENDED = {P = true, U = true, G = true, F = true, C = true, S = true}
local RECORD = '^(%a)\n(%d+)\n(%d+)\n' .. string.rep('([^\n]*)\n', 7) .. '([^\n]*)$'

local loaded = {}

-- The request, or nil. Loaded once a script.
local function request(id)
  if loaded[id] ~= nil then return loaded[id] or nil end
  local key = P .. 'request:' .. id
  local f = call('HMGET', key, 't', 's', 'sp', 'p', 'v', 'o', 'n', 're',
                 'B', 'Q', 'D', 'R', 'P', 'U', 'G', 'F', 'C', 'S')
  loaded[id] = false
  if not f[1] then return nil end
  local r = {id = id, key = key, tenant = f[1], state = f[2], spec = f[3], priority = tonumber(f[4]),
             version = tonumber(f[5]), open = tonumber(f[6]), tasks = tonumber(f[7]), retain = tonumber(f[8]),
             flow = f[1] .. ':' .. id, counts = {}, changed = {}, woken = {}, extra = {}}
  for i, letter in ipairs(LETTERS) do r.counts[letter] = tonumber(f[8 + i] or 0) end
  loaded[id] = r
  return r
end

local function decode(record)
  local t = {}
  t.state, t.version, t.attempts, t.class, t.cost, t.blocked_by, t.worker, t.token, t.result, t.reason, t.progress =
    string.match(record, RECORD)
  return t
end

local function encode(t)
  if ENDED[t.state] then
    return table.concat({t.state, t.version, t.attempts, '', '', '', t.worker, t.token, t.result, t.reason, ''}, '\n')
  end
  return table.concat({t.state, t.version, t.attempts, t.class, t.cost, t.blocked_by, t.worker, t.token, t.result,
                       t.reason, t.progress}, '\n')
end

local function task(r, index)
  local record = call('HGET', P .. 'tasks:' .. r.id, index)
  return record and decode(record) or nil
end

-- One step of one task: its record, its version, the request's counts.
local function step(r, index, t, to)
  local from = t.state
  if from then
    r.counts[from] = r.counts[from] - 1
    r.changed[from] = true
  end
  r.counts[to] = r.counts[to] + 1
  r.changed[to] = true
  if ENDED[to] then r.open = r.open - 1 end
  r.version = r.version + 1
  t.state, t.version = to, string.format('%d', r.version)
  call('HSET', P .. 'tasks:' .. r.id, index, encode(t))
  call('ZADD', P .. 'versions:' .. r.id, r.version, index)
end

local function make_ready(r, index, t, at_head)
  local score = tonumber(index)
  if at_head then score = score - HEAD end
  step(r, index, t, 'Q')
  call('ZADD', P .. 'ready:' .. t.class .. ':' .. r.flow, score, index)
  r.woken[t.class] = (r.woken[t.class] or 0) + 1
end

-- Ends a task. What it blocks opens if it passed or is unverified, and else fails for the same reason.
local function finish(r, index, t, to, result, reason)
  local blocked_by = t.blocked_by
  t.result, t.reason, t.progress = result, reason, ''
  step(r, index, t, to)
  if blocked_by ~= '' then return end
  local key = P .. 'blocked:' .. r.id
  local cells = call('HGET', key, index)
  if not cells then return end
  call('HDEL', key, index)
  for cell in string.gmatch(cells, '%d+') do
    local c = task(r, cell)
    if c and c.state == 'B' then
      if to == 'P' or to == 'U' then
        make_ready(r, cell, c, false)
      else
        c.reason = reason
        step(r, cell, c, 'F')
      end
    end
  end
end

local function release(token)
  call('ZREM', P .. 'leases', token)
  call('HDEL', P .. 'tokens', token)
end

-- Whether a worker that shows `token` owns the running task.
local function owns(t, token)
  return t.state == 'R' and t.token == token
end

-- A worker's task goes back: to the head of its flow, after `delay` ms if that is more than 0, or ends failed when its
-- attempts are used up. The caller decides what becomes of the token in the record.
local function give_back(r, index, t, delay, counted, max_attempts, reason)
  t.reason, t.progress = reason, ''
  if counted and tonumber(t.attempts) >= max_attempts then
    finish(r, index, t, 'F', '', reason)
  elseif delay > 0 then
    step(r, index, t, 'D')
    call('ZADD', P .. 'delayed', now() + delay, index .. ':' .. r.id)
  else
    make_ready(r, index, t, true)
  end
end

-- Puts the request's flow among those served in `class`, not before the flows already there, and wakes `count` workers.
local function join(r, class, count)
  local flows = P .. 'flows:' .. class
  if not call('ZSCORE', flows, r.flow) then
    local clock = tonumber(call('HGET', P .. 'clock', class .. ':' .. r.priority) or 0)
    local own = tonumber(call('HGET', r.key, 'vt:' .. class) or 0)
    call('ZADD', flows, math.max(clock, own) - r.priority * BAND, r.flow)
  end
  local wake = {}
  for i = 1, math.min(count, WAKES) do wake[i] = '1' end
  call('LPUSH', P .. 'wake:' .. class, unpack(wake))
  call('LTRIM', P .. 'wake:' .. class, 0, WAKES - 1)
end

local function save(r)
  if r.open == 0 then
    if r.state == 'A' then r.state = 'D' end
    call('ZADD', P .. 'ended', now() + r.retain, r.id)
    call('UNLINK', P .. 'blocked:' .. r.id)
  end
  local set = {'v', r.version, 'o', r.open, 's', r.state}
  for letter in pairs(r.changed) do
    set[#set + 1] = letter
    set[#set + 1] = r.counts[letter]
  end
  for _, value in ipairs(r.extra) do set[#set + 1] = value end
  call('HSET', r.key, unpack(set))
  if r.state == 'A' then
    for class, count in pairs(r.woken) do join(r, class, count) end
  end
  call('PUBLISH', P .. 'changes:' .. r.id, r.version)
end
