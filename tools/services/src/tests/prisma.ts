import { execFile } from 'node:child_process';
import { symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { temporaryDirectory } from '../processes/temporary.ts';

const run = promisify(execFile);
const modules = join(import.meta.dirname, '../../../../node_modules');

const head = `
generator client {
  provider = "prisma-client-js"
  output   = "./client"
}
datasource db {
  provider = "postgresql"
}
`;

/**
 * Generates the client of Prisma for these models of PostgreSQL into a folder of its own, and returns its class. It downloads
 * nothing: the engine of migrations is not needed for that.
 */
export async function generatePrisma<Client>(models: string): Promise<new (options: object) => Client> {
  const directory = temporaryDirectory('prisma');
  await symlink(modules, join(directory, 'node_modules'));
  await writeFile(join(directory, 'schema.prisma'), `${head}${models}`);
  await writeFile(join(directory, 'package.json'), '{}');
  const cli = join(modules, 'prisma/build/index.js');
  await run(process.execPath, [cli, 'generate', '--schema=schema.prisma'], {
    cwd: directory,
    env: {
      ...process.env,
      PRISMA_SCHEMA_ENGINE_BINARY: '/bin/true',
      PRISMA_HIDE_UPDATE_MESSAGE: '1',
      CHECKPOINT_DISABLE: '1',
    },
  });
  const { PrismaClient } = await import(pathToFileURL(join(directory, 'client/index.js')).href);
  return PrismaClient;
}
