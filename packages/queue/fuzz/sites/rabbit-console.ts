import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { freePorts, type RabbitServer } from '@workspace/services';

/** Evaluates a line of Erlang for each connection, one after the other. */
const program = (port: number): string => `
  Answer = fun(Line) ->
    try
      {ok, Tokens, _} = erl_scan:string(binary_to_list(Line)),
      {ok, Expressions} = erl_parse:parse_exprs(Tokens),
      {value, Value, _} = erl_eval:exprs(Expressions, []),
      io_lib:format("ok ~0p", [Value])
    catch Class:Reason -> io_lib:format("~0p ~0p", [Class, Reason])
    end
  end,
  Serve = fun Again(Listener) ->
    {ok, Socket} = gen_tcp:accept(Listener),
    case gen_tcp:recv(Socket, 0) of
      {ok, Line} -> gen_tcp:send(Socket, Answer(Line));
      _ -> nothing
    end,
    gen_tcp:close(Socket),
    Again(Listener)
  end,
  Options = [binary, {packet, line}, {buffer, 65536}, {active, false}, {ip, {127, 0, 0, 1}}],
  Starter = self(),
  spawn(fun() ->
    {ok, Listener} = gen_tcp:listen(${port}, Options),
    Starter ! listening,
    Serve(Listener)
  end),
  receive listening -> ok end.`;

/** What `rabbitmqctl` does, within milliseconds: it starts a virtual machine for each command, which takes seconds. */
export interface RabbitConsole {
  /** Evaluates expressions of Erlang in the server, without line breaks. */
  evaluate(expressions: string): Promise<string>;
}

export async function openConsole(server: RabbitServer): Promise<RabbitConsole> {
  const [port] = (await freePorts(1)) as [number];
  await server.control('eval', program(port));
  return {
    async evaluate(expressions) {
      const socket = connect(port, '127.0.0.1');
      socket.write(`${expressions}.\n`);
      const answer = await text(socket);
      if (!answer.startsWith('ok ')) throw new Error(`RabbitMQ: ${expressions} failed with ${answer}`);
      return answer.slice(3);
    },
  };
}
