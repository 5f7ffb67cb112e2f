/* Prints what libmemcached does with each line of its input.
 *   libmemcached hash ALGORITHM                          the hash of the line, in decimal
 *   libmemcached place FLAGS HASH HOST PORT WEIGHT ...   the index of its server
 * FLAGS: w weighted, u unweighted, c CONSISTENT; e ejects servers, of which those with "!" before the host have failed.
 * HASH: a number of memcached_hash_t, or - for the default. PORT 0 is for a unix socket. */
#include <libhashkit-1.0/hashkit.h>
#include <libmemcached-1.0/memcached.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void check(memcached_return_t status, const char *what) {
  if (memcached_success(status)) return;
  fprintf(stderr, "%s: %s\n", what, memcached_strerror(NULL, status));
  exit(1);
}

/* Asks for keys of a server that refuses connections until the library has put it aside. */
static void fail(memcached_st *memc, uint32_t server) {
  for (int i = 0; i < 100000; i++) {
    char key[32];
    size_t length, value_length;
    uint32_t flags;
    memcached_return_t status;
    length = (size_t)snprintf(key, sizeof key, "fail%d", i);
    if (memcached_generate_hash(memc, key, length) != server) continue;
    free(memcached_get(memc, key, length, &value_length, &flags, &status));
    if (memcached_generate_hash(memc, key, length) != server) return;
  }
  fprintf(stderr, "server %u does not fail\n", server);
  exit(1);
}

int main(int argc, char **argv) {
  static char line[4096];
  memcached_st *memc = NULL;
  hashkit_hash_algorithm_t algorithm = HASHKIT_HASH_DEFAULT;
  if (argc == 3 && strcmp(argv[1], "hash") == 0) {
    algorithm = (hashkit_hash_algorithm_t)atoi(argv[2]);
  } else if (argc > 4 && strcmp(argv[1], "place") == 0) {
    const char *flags = argv[2];
    memc = memcached_create(NULL);
    if (strchr(flags, 'w')) check(memcached_behavior_set(memc, MEMCACHED_BEHAVIOR_KETAMA_WEIGHTED, 1), "weighted");
    if (strchr(flags, 'u')) check(memcached_behavior_set(memc, MEMCACHED_BEHAVIOR_KETAMA, 1), "ketama");
    if (strchr(flags, 'c'))
      check(memcached_behavior_set(memc, MEMCACHED_BEHAVIOR_DISTRIBUTION, MEMCACHED_DISTRIBUTION_CONSISTENT), "consistent");
    if (strcmp(argv[3], "-") != 0) check(memcached_behavior_set(memc, MEMCACHED_BEHAVIOR_HASH, strtoull(argv[3], NULL, 10)), "hash");
    if (strchr(flags, 'e')) {
      check(memcached_behavior_set(memc, MEMCACHED_BEHAVIOR_AUTO_EJECT_HOSTS, 1), "eject");
      check(memcached_behavior_set(memc, MEMCACHED_BEHAVIOR_SERVER_FAILURE_LIMIT, 1), "limit");
      check(memcached_behavior_set(memc, MEMCACHED_BEHAVIOR_RETRY_TIMEOUT, 10000), "retry");
    }
    for (int i = 4; i + 2 < argc; i += 3) {
      const char *host = argv[i] + (argv[i][0] == '!');
      uint32_t weight = (uint32_t)strtoul(argv[i + 2], NULL, 10);
      check(host[0] == '/' ? memcached_server_add_unix_socket_with_weight(memc, host, weight)
                           : memcached_server_add_with_weight(memc, host, (in_port_t)atoi(argv[i + 1]), weight),
            host);
    }
    for (int i = 4; i < argc; i += 3) if (argv[i][0] == '!') fail(memc, (uint32_t)(i - 4) / 3);
  } else {
    return 2;
  }
  while (fgets(line, sizeof line, stdin) != NULL) {
    size_t length = strcspn(line, "\n");
    printf("%u\n", memc ? memcached_generate_hash(memc, line, length) : libhashkit_digest(line, length, algorithm));
  }
  if (memc) memcached_free(memc);
  return 0;
}
