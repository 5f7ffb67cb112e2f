const presets = [['@babel/preset-env', { targets: { node: 'current' } }]];

module.exports = {
  transform: { '\\.js$': ['babel-jest', { presets }] },
  transformIgnorePatterns: ['/node_modules/(?!\\.pnpm/|@ashlar/)'],
};
