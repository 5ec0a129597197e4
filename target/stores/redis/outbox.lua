-- All that changes in the queue of one account: each call is one step, of which all happens or nothing.
--
-- In a cluster only keys of the account's hash tag are touched here. What a notification says is in another hash, with the hash tag
-- of its session, which is written before `commit` and deleted after what is in the trash here.
--
--   root           hash: v (the version of this layout), seq and dead (the last numbers given)
--   root:order     zset: every entry that waits, by seq
--   root:line:L    zset: those of lane L, by seq
--   root:lane:L    hash: how sending stands; `at` is the cluster under which it is scheduled
--   root:due:C     zset: lanes whose first entry goes to cluster C, by when they can be claimed
--   root:clusters  set: which C there are
--   root:leases    zset: claimed lanes, by when the lease ends
--   root:misses    hash: of entries that were missed
--   root:letters, root:dead   hash and zset: dead letters, and their order
--   root:trash     zset: what is to be deleted elsewhere (0), or will be unless it is committed by then
--
-- An entry's name is LANE:NONCE:CLUSTER. Numbers that may have a fraction stay text: Lua would shorten them.
local root, op, texts = KEYS[1], ARGV[1], KEYS[2] -- the texts of a lane, where they are on this server
local ORDER, LEASES, MISSES, TRASH = root .. ':order', root .. ':leases', root .. ':misses', root .. ':trash'
local DEAD, LETTERS, CLUSTERS = root .. ':dead', root .. ':letters', root .. ':clusters'
local VERSION = '1'
local call = redis.call
local MOST_AT_ONCE = 1000

local kinds = {
  {root, 'hash'}, {ORDER, 'zset'}, {LEASES, 'zset'}, {MISSES, 'hash'}, {TRASH, 'zset'}, {DEAD, 'zset'},
  {LETTERS, 'hash'}, {CLUSTERS, 'set'},
}
for _, pair in ipairs(kinds) do
  local found = call('TYPE', pair[1]).ok
  if found ~= 'none' and found ~= pair[2] then
    return redis.error_reply('NONSENSE ' .. pair[1])
  end
end
if call('EXISTS', root) == 1 and call('HGET', root, 'v') ~= VERSION then
  return redis.error_reply('NONSENSE ' .. root)
end

local function lane_key(lane) return root .. ':lane:' .. lane end
local function line_key(lane) return root .. ':line:' .. lane end
local function due_key(cluster) return root .. ':due:' .. cluster end
local function lane_of(entry) return string.match(entry, '^[^:]+') end
local function nonce_of(entry) return string.match(entry, '^[^:]+:([^:]+)') end
local function cluster_of(entry) return string.match(entry, '^[^:]+:[^:]+:(.*)$') end

-- Lets a lane be claimed at `due`, or when it could be before; a lane without entries is forgotten.
local function place(lane, due)
  local key = lane_key(lane)
  local first = call('ZRANGE', line_key(lane), 0, 0)[1]
  local at = call('HGET', key, 'at')
  if not first then
    if at then call('ZREM', due_key(at), lane) end
    call('ZREM', LEASES, lane)
    call('DEL', key)
    return
  end
  local cluster = cluster_of(first)
  if at and at ~= cluster then
    due = due or call('ZSCORE', due_key(at), lane)
    call('ZREM', due_key(at), lane)
  end
  if at ~= cluster then
    call('HSET', key, 'at', cluster)
    call('SADD', CLUSTERS, cluster)
  end
  if due then call('ZADD', due_key(cluster), due, lane) end
end

local function remove(entry)
  if call('ZREM', ORDER, entry) == 0 then return false end
  call('ZREM', line_key(lane_of(entry)), entry)
  call('HDEL', MISSES, entry)
  if texts then
    call('HDEL', texts, nonce_of(entry))
  else
    call('ZADD', TRASH, 0, entry)
  end
  return true
end

local ops = {}

-- most waiting, "raise" | "drop_oldest" | "promised", due; for each entry its name, its session, the dead letter it was
function ops.commit()
  local most, mode, due = tonumber(ARGV[2]), ARGV[3], ARGV[4]
  local count = (#ARGV - 4) / 3
  for i = 5, #ARGV, 3 do
    local mark = call('ZSCORE', TRASH, ARGV[i])
    if not mark or tonumber(mark) <= 0 then return {'late'} end
    if ARGV[i + 2] ~= '' and not call('ZSCORE', DEAD, ARGV[i + 2]) then return {'late'} end
  end
  local waiting = call('ZCARD', ORDER)
  local excess = 0
  if mode ~= 'promised' then
    excess = math.max(0, waiting + count - most)
    if excess > 0 and (mode == 'raise' or count > most) then return {'full', waiting} end
  end
  local touched = {}
  if excess > 0 then
    for _, entry in ipairs(call('ZRANGE', ORDER, 0, excess - 1)) do
      remove(entry)
      touched[lane_of(entry)] = true
    end
    for lane in pairs(touched) do place(lane) end
  end
  call('HSETNX', root, 'v', VERSION)
  local fresh = {}
  for i = 5, #ARGV, 3 do
    local entry, lane = ARGV[i], lane_of(ARGV[i])
    if call('HSETNX', lane_key(lane), 'session', ARGV[i + 1]) == 1 then fresh[lane] = true end
    local seq = call('HINCRBY', root, 'seq', 1)
    call('ZADD', ORDER, seq, entry)
    call('ZADD', line_key(lane), seq, entry)
    call('ZREM', TRASH, entry)
    if ARGV[i + 2] ~= '' then
      call('ZREM', DEAD, ARGV[i + 2])
      call('HDEL', LETTERS, ARGV[i + 2])
    end
  end
  for lane in pairs(fresh) do place(lane, due) end
  return {'ok', excess}
end

-- now, end of the lease, token, most entries, then each known cluster and "1" where it is open
function ops.claim()
  local now, ends, token, most = ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5])
  local known, open = {}, {}
  for i = 6, #ARGV, 2 do
    known[ARGV[i]] = true
    if ARGV[i + 1] == '1' then open[#open + 1] = ARGV[i] end
  end
  local clusters = call('SMEMBERS', CLUSTERS)
  for _, cluster in ipairs(clusters) do
    if not known[cluster] then return {'clusters', unpack(clusters)} end
  end
  local lane, due, ready
  repeat
    lane, due, ready = nil, nil, 0
    for _, cluster in ipairs(open) do
      local found = call('ZRANGEBYSCORE', due_key(cluster), '-inf', now, 'WITHSCORES', 'LIMIT', 0, 2)
      ready = ready + #found / 2
      if found[1] and (not due or tonumber(found[2]) < tonumber(due)) then lane, due = found[1], found[2] end
    end
    if not lane then return {'none'} end
    local is_empty = call('EXISTS', line_key(lane)) == 0
    if is_empty then place(lane) end
  until not is_empty
  local key = lane_key(lane)
  if call('ZSCORE', LEASES, lane) then due = call('HGET', key, 'due') or due end
  call('HSET', key, 'due', due, 'token', token)
  call('ZADD', LEASES, ends, lane)
  place(lane, ends)
  local state = call('HMGET', key, 'session', 'failures', 'suspects', 'status', 'message')
  local answer = {'claim', lane, due, ready > 1 and 1 or 0}
  for i = 1, 5 do answer[#answer + 1] = state[i] or '' end
  local entries = call('ZRANGE', line_key(lane), 0, most - 1, 'WITHSCORES')
  for i = 1, #entries, 2 do
    answer[#answer + 1] = entries[i]
    answer[#answer + 1] = entries[i + 1]
    answer[#answer + 1] = call('HGET', MISSES, entries[i]) or '0'
  end
  return answer
end

-- lane, token, due, failures, suspects, status, message, most dead letters, number of acknowledged, of missed; the seq
-- of each; then of each that died seq and letter
function ops.settle()
  local lane, token = ARGV[2], ARGV[3]
  local key, line = lane_key(lane), line_key(lane)
  if call('HGET', key, 'token') ~= token then return 0 end
  local acknowledged, missed = tonumber(ARGV[10]), tonumber(ARGV[11])
  local function entry_of(seq) return call('ZRANGEBYSCORE', line, seq, seq)[1] end
  for i = 12, 11 + acknowledged do
    local entry = entry_of(ARGV[i])
    if entry then remove(entry) end
  end
  for i = 12 + acknowledged, 11 + acknowledged + missed do
    local entry = entry_of(ARGV[i])
    if entry then call('HINCRBY', MISSES, entry, 1) end
  end
  for i = 12 + acknowledged + missed, #ARGV, 2 do
    local entry = entry_of(ARGV[i])
    if entry and remove(entry) then
      call('ZADD', DEAD, call('HINCRBY', root, 'dead', 1), entry)
      call('HSET', LETTERS, entry, ARGV[i + 1])
    end
  end
  local excess = call('ZCARD', DEAD) - tonumber(ARGV[9])
  if excess > 0 then
    for _, entry in ipairs(call('ZRANGE', DEAD, 0, excess - 1)) do
      call('ZREM', DEAD, entry)
      call('HDEL', LETTERS, entry)
    end
  end
  call('HDEL', key, 'token', 'due')
  call('ZREM', LEASES, lane)
  call('HSET', key, 'failures', ARGV[5], 'suspects', ARGV[6], 'status', ARGV[7], 'message', ARGV[8])
  place(lane, ARGV[4])
  return 1
end

-- now, the latest that a lane may be due, the latest that a lease may end; what is later is from before a restart.
-- Returns each cluster and when its first lane can be claimed.
function ops.look()
  local now, latest_due, latest_lease = ARGV[2], ARGV[3], ARGV[4]
  for _, lane in ipairs(call('ZRANGEBYSCORE', LEASES, '(' .. latest_lease, '+inf')) do
    call('ZREM', LEASES, lane)
    call('HDEL', lane_key(lane), 'token', 'due')
    place(lane, now)
  end
  local answer = {}
  for _, cluster in ipairs(call('SMEMBERS', CLUSTERS)) do
    local key = due_key(cluster)
    for _, lane in ipairs(call('ZRANGEBYSCORE', key, '(' .. latest_due, '+inf')) do
      if not call('ZSCORE', LEASES, lane) then call('ZADD', key, now, lane) end
    end
    local first = call('ZRANGE', key, 0, 0, 'WITHSCORES')
    if first[1] then
      answer[#answer + 1] = cluster
      answer[#answer + 1] = first[2]
    else
      call('SREM', CLUSTERS, cluster)
    end
  end
  return answer
end

function ops.hurry()
  local now = ARGV[2]
  for _, cluster in ipairs(call('SMEMBERS', CLUSTERS)) do
    local key = due_key(cluster)
    for _, lane in ipairs(call('ZRANGEBYSCORE', key, '(' .. now, '+inf')) do
      if not call('ZSCORE', LEASES, lane) then call('ZADD', key, now, lane) end
    end
  end
  return 1
end

function ops.mark() return tonumber(call('HGET', root, 'seq') or '0') end

function ops.passed()
  local first = call('ZRANGE', ORDER, 0, 0, 'WITHSCORES')
  return (first[1] and tonumber(first[2]) <= tonumber(ARGV[2])) and 0 or 1
end

function ops.counts() return {call('ZCARD', ORDER), call('ZCARD', DEAD)} end

-- after which, how many: for each dead letter its number, its name, what it says
function ops.letters()
  local answer = {}
  local found = call('ZRANGEBYSCORE', DEAD, '(' .. ARGV[2], '+inf', 'WITHSCORES', 'LIMIT', 0, ARGV[3])
  for i = 1, #found, 2 do
    answer[#answer + 1] = found[i + 1]
    answer[#answer + 1] = found[i]
    answer[#answer + 1] = call('HGET', LETTERS, found[i]) or ''
  end
  return answer
end

-- now: what was never committed becomes trash. Returns trash.
function ops.trash()
  for _, entry in ipairs(call('ZRANGEBYSCORE', TRASH, '(0', ARGV[2], 'LIMIT', 0, MOST_AT_ONCE)) do
    call('ZADD', TRASH, 0, entry)
  end
  return call('ZRANGEBYSCORE', TRASH, '-inf', 0, 'LIMIT', 0, MOST_AT_ONCE)
end

return ops[op]()
