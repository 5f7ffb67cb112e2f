import type { Theme } from 'vitepress';
import DefaultTheme from 'vitepress/theme';
import LoadBalancerDemo from './lb/LoadBalancerDemo.vue';
import HashRingDemo from './ring/HashRingDemo.vue';
import './style.css';

const theme: Theme = {
  extends: DefaultTheme,
  enhanceApp({ app }) {
    app.component('HashRingDemo', HashRingDemo);
    app.component('LoadBalancerDemo', LoadBalancerDemo);
  },
};

export default theme;
