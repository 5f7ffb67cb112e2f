#!/usr/bin/env node
import { runCommands } from '@workspace/program';
import { commands, overview } from './commands.ts';

await runCommands('ashlar-shard-router', overview, commands);
